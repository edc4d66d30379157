/** Checks the links of documents. */
import { dirname, join } from "node:path";

/** Text of a document without its code blocks: what is in them is neither a link nor a heading. */
const proseOf = (text: string): string => text.replaceAll(/^```.*?^```/gms, "");

/** The anchors of a document's headings, as GitHub makes them. */
const anchorsOf = (text: string): readonly string[] =>
  [...proseOf(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );

/** What is wrong with the links of a document. `read` gives another one's text, "" for a file of another kind. */
export function complaints(path: string, text: string, read: (path: string) => string | undefined): string[] {
  return [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
    if (/^https?:/.test(link)) return [];
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? text : read(join(dirname(path), file));
    if (target === undefined) return [`${path} links to ${link}: there is no such file`];
    return anchor === undefined || anchorsOf(target).includes(anchor)
      ? []
      : [`${path} links to ${link}: there is no such heading`];
  });
}
