/**
 * The file in which the former settings of an interface are kept for DEL (rules T9, T32–T34). Name and layout are the
 * reference's, so each side restores what the other has saved. One more key, which the reference ignores, says which
 * attachment and which interface of which namespace the settings were taken from.
 */
import type { Attachment, ContainerInterface } from "../../cni/attachment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import { parseJson } from "../../cni/json-bytes.ts";
import { attachmentMark } from "../../netfilter/attachment-names.ts";
import { KeyError } from "../../schema/key-error.ts";
import type { Keys } from "../../schema/keys.ts";
import { parse } from "../../schema/parse.ts";
import { close, readToEnd, writeAll } from "../../sys/descriptor.ts";
import { failedWith } from "../../sys/errno.ts";
import { linkDescriptor, O, open, rename, statusOf, unlinkIfThere } from "../../sys/file.ts";
import { grantOwner, makeDirectories, OWNER_ONLY, openOwn } from "../../sys/own-file.ts";
import type { LinkState } from "./link-state.ts";

const ORIGIN_KEYS = [
  ["network", "text!", null, ""],
  ["containerId", "text!", null, ""],
  ["ifname", "text!", null, ""],
  ["index", "integer", 0, ""],
  ["netns", "text", "", ""],
] as const satisfies Keys;

const FILE_KEYS = [
  ["mac", "text", null, ""],
  ["promisc", "boolean", null, ""],
  ["mtu", "integer", null, ""],
  ["allmulti", "boolean", null, ""],
  ["txQLen", "integer", null, ""],
  ["bridgehead", "object", null, "", ORIGIN_KEYS],
] as const satisfies Keys;

/** Where saved settings come from. */
export interface Origin extends Attachment {
  /** Index of the interface. */
  readonly index: number;
  /** The record of its namespace (leases/netns-record.ts); empty if none could be taken. */
  readonly netns: string;
}

/** A file's content. `origin` is undefined in a file of the reference, and `state` empty in a broken file. */
export interface SavedState {
  readonly path: string;
  readonly state: LinkState;
  readonly origin: Origin | undefined;
}

/** Ending of the name that a complete file has until it replaces an earlier one. */
export const UNFINISHED = ".new";
/** NAME_MAX of uapi linux/limits.h less that ending. */
const LONGEST_NAME = 255 - UNFINISHED.length;
/** More than any file of either side has; a larger one is not read to its end, and so counts as broken. */
const MOST_BYTES = 2 ** 20;

/**
 * Where an attachment's settings may be saved: under the reference's name, and if that is too long or taken by another
 * attachment (a_b with eth0 and a with b_eth0 have the same), under a name of its own. No container id begins with "_".
 */
export function pathsFor(
  dataDir: string,
  { containerId, ifname }: ContainerInterface,
): { shared?: string; own: string } {
  const own = `${dataDir}/_${attachmentMark({ network: "", containerId, ifname })}.json`;
  const name = `${containerId}_${ifname}.json`;
  const isShort = new TextEncoder().encode(name).length <= LONGEST_NAME;
  return isShort ? { shared: `${dataDir}/${name}`, own } : { own };
}

/**
 * Whether the origin is this container's interface. A file of the reference is known by its name alone. As for the
 * reference, the network's name does not matter: it may be another one by the time of DEL.
 */
export const isOf = (origin: Origin | undefined, { containerId, ifname }: ContainerInterface): boolean =>
  origin === undefined || (origin.containerId === containerId && origin.ifname === ifname);

/** The content of a file; undefined if there is none. @throws ForeignFileError, SystemError */
export function readSaved(path: string): SavedState | undefined {
  let bytes: Uint8Array;
  try {
    using file = openOwn(path, O.RDONLY);
    bytes = readToEnd(file.fd, MOST_BYTES);
  } catch (error) {
    if (failedWith(error, "ENOENT", "ENOTDIR", "ENAMETOOLONG")) return undefined;
    throw error;
  }
  try {
    const { bridgehead: origin, ...state } = parse(FILE_KEYS, parseJson(bytes, "it"));
    return { path, state, origin };
  } catch (error) {
    if (!(error instanceof KeyError || error instanceof CniError)) throw error;
    return { path, state: {}, origin: undefined };
  }
}

/** Writes a file whole or not at all, with its directory. @throws CniError code 5 */
export function writeSaved({ path, state, origin }: SavedState): void {
  try {
    makeDirectories(path.slice(0, path.lastIndexOf("/")), 0o700);
    // As the reference writes it.
    const text = JSON.stringify({ ...state, bridgehead: origin }, undefined, 1);
    unlinkIfThere(path + UNFINISHED);
    writeNew(path + UNFINISHED, new TextEncoder().encode(text));
    rename(path + UNFINISHED, path);
  } catch (error) {
    const { message } = toCniError(error);
    throw new CniError(code.io, `cannot save the former settings in ${path}: ${message}`, "", {
      cause: error,
    });
  }
}

/** Writes a new file. It gets its name when it is complete, so that GC can tell whose a file of a killed ADD is. */
function writeNew(path: string, bytes: Uint8Array): void {
  let fd: number;
  try {
    fd = open(path.slice(0, path.lastIndexOf("/")), O.TMPFILE | O.WRONLY, OWNER_ONLY);
  } catch (error) {
    // A file system without unnamed files.
    if (!failedWith(error, "EOPNOTSUPP", "EISDIR", "EINVAL")) throw error;
    using file = openOwn(path, O.WRONLY | O.CREAT | O.EXCL, OWNER_ONLY);
    grantOwner(file);
    writeAll(file.fd, bytes);
    return;
  }
  try {
    grantOwner({ fd, status: statusOf(fd) });
    writeAll(fd, bytes);
    linkDescriptor(fd, path);
  } finally {
    close(fd);
  }
}

/** Removes a file and what a killed ADD has left of it. @throws SystemError */
export function removeSaved(path: string): void {
  unlinkIfThere(path);
  unlinkIfThere(path + UNFINISHED);
}
