/** A tarball of the programs, to be unpacked beside the plugins of a node, with the documents in a folder of their own. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { writeTar } from "./archive.ts";
import { NAMES } from "./compile.ts";
import { copyDocuments } from "./documents.ts";

/** The folder of the documents, which has the project's name, since many projects share /opt/cni/bin. */
export const DOCUMENTS = "bridgehead-documents";

/**
 * The programs' names have no folder, so that unpacking keeps the owner and mode of /opt/cni/bin. They are one file with hard
 * links, also after unpacking. @throws Error when `files` holds anything else
 */
export async function pack(files: string, tarball: string): Promise<void> {
  await copyDocuments(join(files, DOCUMENTS));
  const members = [...NAMES, DOCUMENTS];
  const unexpected = (await readdir(files)).filter((name) => !members.includes(name));
  if (unexpected.length > 0) throw new Error(`${files} holds unexpected files: ${unexpected.join(", ")}`);
  writeTar(files, members, tarball, "gzip -9n");
}
