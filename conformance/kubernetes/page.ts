/** The commands of docs/kubernetes.md, so that the suite runs what the page says. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const PAGE = join(import.meta.dir, "../../docs/kubernetes.md");

/** The commands below one heading, in their order. */
export interface Section {
  readonly title: string;
  /** Whether they are for each node, not for wherever kubectl works. */
  readonly onEachNode: boolean;
  readonly scripts: readonly string[];
}

/** The sections of the page that have commands. */
export function sections(text = readFileSync(PAGE, "utf8")): Section[] {
  return text
    .split(/^## /m)
    .map((part) => {
      const [title = ""] = part.split("\n");
      const scripts = [...part.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, script = ""]) => script);
      return { title, onEachNode: title.startsWith("On each node: "), scripts };
    })
    .filter(({ scripts }) => scripts.length > 0);
}
