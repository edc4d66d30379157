/**
 * Reads the cache of libcni, the library by which runtimes call plugins: a file for each attachment with its configuration
 * and the result of its ADD (kind "cniCacheV1" of libcni's api.go).
 */

import type { Attachment } from "../cni/attachment.ts";
import type { Document } from "../schema/keys.ts";
import { failedWith } from "../sys/errno.ts";
import { readFile } from "../sys/file.ts";
import { isFileFailure } from "../sys/own-file.ts";
import { namesOf } from "./folder.ts";
import { isDocument, parseJson } from "./networks.ts";

/** Where libcni keeps its cache by default; the files are in its folder "results". */
export const DEFAULT_CACHE_DIRECTORY = "/var/lib/cni";

/** An attachment of the cache. */
export interface CachedAttachment extends Attachment {
  readonly file: string;
  /** The path that ADD got; undefined in files of older versions. */
  readonly netns: string | undefined;
  /** The configuration of its last plugin or of the whole chain, as ADD got it; undefined if it cannot be decoded. */
  readonly config: Document | undefined;
  /** Pairs of CNI_ARGS. */
  readonly cniArgs: readonly (readonly string[])[];
  /** `portMappings`, `bandwidth` and others, as the runtime gave them. */
  readonly capabilityArgs: Document;
  /** The result of ADD in the version of the configuration; undefined if there is none. */
  readonly result: Document | undefined;
}

/** What is in the cache. */
export interface Cache {
  readonly attachments: readonly CachedAttachment[];
  /** Files that are not of the cache, or cannot be read. */
  readonly broken: readonly { readonly file: string; readonly problem: string }[];
}

/** All attachments of the cache, in the order of the files' names; none if it does not exist. @throws CommandError, SystemError */
export function readCache(directory: string = DEFAULT_CACHE_DIRECTORY): Cache {
  const attachments: CachedAttachment[] = [];
  const broken: { file: string; problem: string }[] = [];
  const folder = `${directory}/results`;
  for (const name of namesOf(folder, "libcni's cache", "--cache-dir")) {
    const file = `${folder}/${name}`;
    const found = readCached(file);
    if (typeof found === "string") broken.push({ file, problem: found });
    else if (found !== undefined) attachments.push(found);
  }
  return { attachments, broken };
}

/** An attachment of a file, or why the file is none; undefined if it is not there. */
export function readCached(file: string): CachedAttachment | string | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFile(file);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return undefined;
    if (isFileFailure(error)) return error.message;
    throw error;
  }
  const json = parseJson(bytes);
  if (typeof json === "string") return json;
  if (!isDocument(json)) return "it is not a JSON object";
  const { kind, containerId, ifName, networkName, netns, config, cniArgs, capabilityArgs, result } = json;
  if (kind !== "cniCacheV1") return `its kind is ${JSON.stringify(kind)}, not "cniCacheV1"`;
  if (typeof containerId !== "string" || typeof ifName !== "string" || typeof networkName !== "string")
    return "it does not name an attachment";
  return {
    file,
    network: networkName,
    containerId,
    ifname: ifName,
    netns: typeof netns === "string" && netns !== "" ? netns : undefined,
    config: typeof config === "string" ? decodeConfig(config) : undefined,
    cniArgs: Array.isArray(cniArgs) ? cniArgs.filter((pair) => Array.isArray(pair)) : [],
    capabilityArgs: isDocument(capabilityArgs) ? capabilityArgs : {},
    result: isDocument(result) ? result : undefined,
  };
}

/** Go writes a list of bytes in base64. */
function decodeConfig(base64: string): Document | undefined {
  try {
    const json = parseJson(Uint8Array.fromBase64(base64));
    return isDocument(json) ? json : undefined;
  } catch (error) {
    // It is not base64.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
