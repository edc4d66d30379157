/**
 * Writes and removes the files of libcni's cache (its api.go, kind cniCacheV1), from which cnitool and runtimes take an
 * attachment over. cache.ts reads them.
 */

import type { Attachment } from "../../cni/attachment.ts";
import type { Document } from "../../schema/keys.ts";
import { writeAll } from "../../sys/descriptor.ts";
import { fsync, O, rename, unlinkIfThere } from "../../sys/file.ts";
import { makeDirectories, OWNER_ONLY, openOwn } from "../../sys/own-file.ts";
import type { Target } from "./attachment.ts";

/** Where libcni keeps an attachment below the folder of its cache. */
export const cacheFileOf = (directory: string, attachment: Attachment): string =>
  `${folderOf(directory)}/${nameOf(attachment)}`;

const folderOf = (directory: string): string => `${directory}/results`;

const nameOf = ({ network, containerId, ifname }: Attachment): string =>
  `${network}-${containerId}-${ifname}`;

/** The content of a file, in libcni's order; what is empty is left out. */
export function cacheText(target: Target, config: Uint8Array, result: Document): string {
  const { containerId, ifname, network, netns, cniArgs, capabilityArgs } = target;
  return JSON.stringify({
    kind: "cniCacheV1",
    containerId,
    config: config.toBase64(),
    ifName: ifname,
    networkName: network,
    netns: netns === "" ? undefined : netns,
    cniArgs: cniArgs.length === 0 ? undefined : cniArgs,
    capabilityArgs: Object.keys(capabilityArgs).length === 0 ? undefined : capabilityArgs,
    result,
  });
}

/** Keeps an attachment, whole or not at all, since another program may read meanwhile. @throws SystemError, ForeignFileError */
export function keep(directory: string, target: Target, config: Uint8Array, result: Document): void {
  const folder = folderOf(directory);
  makeDirectories(folder, 0o700);
  const working = `${folder}/.${nameOf(target)}`;
  unlinkIfThere(working);
  {
    using file = openOwn(working, O.WRONLY | O.CREAT | O.EXCL, OWNER_ONLY);
    writeAll(file.fd, new TextEncoder().encode(cacheText(target, config, result)));
    fsync(file.fd);
  }
  rename(working, cacheFileOf(directory, target));
}

/** Removes the file of an attachment, if it is there. @throws SystemError */
export const forget = (directory: string, attachment: Attachment): void =>
  unlinkIfThere(cacheFileOf(directory, attachment));
