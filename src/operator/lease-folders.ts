/**
 * Reads the leases of host-local, of ours and of the reference, network by network (rules H50–H53). Nothing is locked but
 * for a moment, where a file is empty: another plugin may be about to write it.
 */
import type { ContainerInterface } from "../cni/attachment.ts";
import { DEFAULT_DATA_DIRECTORY } from "../leases/holders.ts";
import { attachmentOf, isLeaseContent, trimmed } from "../leases/lease.ts";
import { type LeaseFile, LeaseFiles, recordIn } from "../leases/lease-files.ts";
import type { NetnsRecord } from "../leases/netns-record.ts";
import { type IpAddress, parseIp } from "../net/ip.ts";
import { get } from "../schema/parse.ts";
import { forEachEntry, nameOf, readSmallFile } from "../sys/directory.ts";
import { failedWith } from "../sys/errno.ts";
import { exists, isDirectory, isRegular, status } from "../sys/file.ts";
import { lockFile } from "../sys/flock.ts";
import { describeKind, strangeness } from "../sys/own-file.ts";
import { FileStatus } from "../sys/statx.ts";
import { CommandError, exitCode } from "./exit-codes.ts";
import { isDocument, type Network } from "./networks.ts";
import { step } from "./progress.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Milliseconds to wait for another plugin that writes a lease. */
const LOCK_WAIT = 1000;

/** A lease: an address that an attachment holds. `ifname` is "" in the old format, which means each of the container. */
export interface Lease extends ContainerInterface {
  readonly network: string;
  readonly address: IpAddress;
  /** Its path, and its name in the folder, which may not be the canonical text of the address. */
  readonly path: string;
  readonly file: LeaseFile;
  /** When it was written: nanoseconds since the epoch. */
  readonly since: bigint;
  /** What was recorded of its namespace; undefined if another program has written it. */
  readonly record: NetnsRecord | undefined;
}

/** A file in a folder of leases that is none. */
export interface OtherFile {
  readonly path: string;
  /** As in "is a directory, not a lease". */
  readonly why: string;
  /** The address that it holds, if it holds one. */
  readonly address?: IpAddress;
}

/** The leases of a network. */
export interface LeaseFolder {
  readonly network: string;
  readonly dataDir: string;
  readonly path: string;
  readonly files: LeaseFiles;
  readonly leases: readonly Lease[];
  readonly other: readonly OtherFile[];
}

/** The folder of a network's leases by its configuration: that of the first plugin with an `ipam` of host-local. */
export function dataDirOf({ plugins }: Network): string {
  for (const plugin of plugins) {
    const ipam = get(plugin, "ipam");
    if (!isDocument(ipam) || get(ipam, "type") !== "host-local") continue;
    const dataDir = get(ipam, "dataDir");
    if (typeof dataDir === "string" && dataDir !== "") return dataDir.replace(/(.)\/+$/, "$1");
  }
  return DEFAULT_DATA_DIRECTORY;
}

/**
 * The folders of all networks: those of the configurations, and each other one beside them. `dataDir` is the only place to
 * look at, if it is given. @throws CommandError if a folder cannot be read
 */
export function readLeaseFolders(
  networks: readonly Network[],
  dataDir: string | undefined,
  only?: string,
): LeaseFolder[] {
  const places = new Map<string, { dataDir: string; network: string }>();
  const add = (directory: string, network: string): void => {
    if (only === undefined || network === only)
      places.set(`${directory}/${network}`, { dataDir: directory, network });
  };
  for (const network of networks)
    if (network.shadowedBy === undefined) add(dataDir ?? dataDirOf(network), network.name);
  const directories = new Set([
    dataDir ?? DEFAULT_DATA_DIRECTORY,
    ...[...places.values()].map((place) => place.dataDir),
  ]);
  for (const directory of directories)
    forEachIn(directory, (_, entry) => {
      const name = nameOf(entry);
      if (!name.startsWith(".")) add(directory, name);
    });
  const folders: LeaseFolder[] = [];
  for (const path of [...places.keys()].sort()) {
    const place = places.get(path);
    const folder = place && readLeaseFolder(place);
    if (folder !== undefined) folders.push(folder);
  }
  return folders;
}

/** The leases in a folder; undefined if it does not exist. @throws CommandError if it cannot be read */
export function readLeaseFolder(place: {
  readonly dataDir: string;
  readonly network: string;
}): LeaseFolder | undefined {
  const files = new LeaseFiles(place, () => {});
  const leases: Lease[] = [];
  const other: OtherFile[] = [];
  const empty: string[] = [];
  const what = `reading the leases of ${place.network}`;
  let count = 0;
  forEachIn(files.path, (directory, entry) => {
    const name = nameOf(entry);
    step(what, count++);
    const found = readEntry(files, name, (address, inside) =>
      readSmall(files, directory, entry, name, address, inside),
    );
    if (found === "empty") empty.push(name);
    else if (found !== undefined) ("why" in found ? other : leases).push(found as Lease & OtherFile);
  });
  if (empty.length > 0) {
    using _lock = lockIfPossible(files);
    for (const name of empty) {
      const found = readEntry(files, name);
      if (found === "empty")
        other.push({
          path: files.at(name),
          why: "is empty: a plugin was killed before it wrote the lease; the address is free",
        });
      else if (found !== undefined) ("why" in found ? other : leases).push(found as Lease & OtherFile);
    }
  }
  if (leases.length + other.length === 0 && !exists(files.path)) return undefined;
  return { ...place, path: files.path, files, leases: inOrder(leases), other };
}

/** Reads the file of an address. `inside` gets its content while it is open. */
type ReadFile = (address: IpAddress, inside: (fd: number, content: string) => void) => LeaseFile | undefined;

/** For the content of nearly all leases. */
const small = new Uint8Array(512);

/** As LeaseFiles.read, in half the time for nearly all leases, which shows with ten thousand of them. */
function readSmall(
  files: LeaseFiles,
  directory: number,
  entry: Uint8Array,
  name: string,
  ...[address, inside]: Parameters<ReadFile>
): LeaseFile | undefined {
  let found: FileStatus | undefined;
  let content = "";
  readSmallFile(directory, entry, small, (fd, length) => {
    found = new FileStatus();
    content = trimmed(decoder.decode(small.subarray(0, length)));
    if (content !== "") inside(fd, content);
  });
  if (found === undefined || content === "") return files.read(name, address, inside);
  return { address, name, content, status: found, strangeness: strangeness(files.at(name), found) };
}

/** What a name stands for; undefined for what belongs there beside leases, and for a file that is gone. */
function readEntry(
  files: LeaseFiles,
  name: string,
  read: ReadFile = (address, inside) => files.read(name, address, inside),
): Lease | OtherFile | "empty" | undefined {
  if (name === "." || name === ".." || name === "lock" || /^last_reserved_ip\.\d+$/.test(name))
    return undefined;
  const path = files.at(name);
  const address = parseIp(name);
  if (address === undefined) return { path, why: "has no name of a lease: it is not an address" };
  let record: NetnsRecord | undefined;
  const file = read(address, (fd, content) => {
    record = recordIn(fd, content);
  });
  if (file === undefined) return exists(path) ? "empty" : undefined;
  const { content, strangeness } = file;
  if (content === undefined) return { path, why: whyNoLease(path), address };
  if (!isLeaseContent(content))
    return { path, why: "holds no container id, so it is not a lease; its address is held", address };
  if (strangeness !== undefined) return { path, why: `${strangeness}; its address is held`, address };
  return {
    network: files.place.network,
    address,
    path,
    file,
    ...attachmentOf(content),
    since: file.status?.modified ?? 0n,
    record,
  };
}

function whyNoLease(path: string): string {
  try {
    const found = status(path, { followLinks: false });
    if (isRegular(found)) return "cannot be read, or is too large for a lease; its address is held";
    return `is ${describeKind(found)}, not a lease; its address is held`;
  } catch (error) {
    if (failedWith(error, "ENOENT")) return "is gone";
    throw error;
  }
}

/** Not on a file system that is only read, and not for a user who may not write there. */
function lockIfPossible(files: LeaseFiles): Disposable | undefined {
  try {
    return lockFile(files.at("lock"), LOCK_WAIT);
  } catch {
    return undefined;
  }
}

/**
 * Calls `use` as forEachEntry does; not at all if the folder does not exist.
 * @throws CommandError if it is not a folder, or cannot be read
 */
function forEachIn(path: string, use: (directory: number, entry: Uint8Array) => void): void {
  try {
    if (!isDirectory(status(path))) {
      throw new CommandError(
        exitCode.cannotTell,
        `cannot read the leases in ${JSON.stringify(path)}: it is not a directory; remove it, or name the right one with --data-dir`,
      );
    }
  } catch (error) {
    if (failedWith(error, "ENOENT", "ENAMETOOLONG")) return;
    throw error;
  }
  forEachEntry(path, use);
}

/** IPv4 before IPv6, then by number. Doubles, of which each is made once, compare in a tenth of the time of bigints. */
function inOrder(leases: readonly Lease[]): Lease[] {
  const keyed = leases.map((lease) => ({ lease, key: Number(lease.address.value) }));
  keyed.sort((a, b) => a.lease.address.family - b.lease.address.family || a.key - b.key || exactly(a, b));
  return keyed.map(({ lease }) => lease);
}

/** The order of numbers that have the same double, as those of IPv6 may. */
const exactly = ({ lease: a }: { lease: Lease }, { lease: b }: { lease: Lease }): number =>
  a.address.value < b.address.value ? -1 : a.address.value > b.address.value ? 1 : 0;
