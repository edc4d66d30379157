/** Checks the links of documents. */
import { existsSync, readFileSync } from "node:fs";
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

/** What is wrong with the links of these documents in a folder, to each other and to other files in it. */
export function complaintsIn(folder: string, paths: readonly string[]): string[] {
  const read = (path: string): string | undefined => {
    const file = join(folder, path);
    if (!existsSync(file)) return undefined;
    return path.endsWith(".md") ? readFileSync(file, "utf8") : "";
  };
  return paths.flatMap((path) => complaints(path, read(path) ?? "", read));
}

/** The documents in a folder and below. */
export const documentsIn = (folder: string): string[] => [...new Bun.Glob("**/*.md").scanSync(folder)].sort();
