/**
 * Says which attachments hold addresses, for plugins that do not give addresses: by the lease files alone, of all networks,
 * without a lock and without the index. A file that another user has put there counts too: it holds its address.
 */
import type { Attachment, ContainerInterface } from "../cni/attachment.ts";
import { formatIp, type IpAddress, parseIp } from "../net/ip.ts";
import { listDirectory } from "../sys/directory.ts";
import { failedWith } from "../sys/errno.ts";
import { attachmentOf, contentsOf } from "./lease.ts";
import { LeaseFiles } from "./lease-files.ts";

/** Where host-local keeps its leases unless it is configured otherwise. */
export const DEFAULT_DATA_DIRECTORY = "/var/lib/cni/networks";

/** Begins the names of the files with the last address given from a set. */
const HINT = "last_reserved_ip.";

/** Names in a directory; none if there is no such directory. */
function namesIn(path: string): string[] {
  try {
    return listDirectory(path);
  } catch (error) {
    if (failedWith(error, "ENOENT", "ENOTDIR", "ENAMETOOLONG")) return [];
    throw error;
  }
}

/** The leases of all networks in a directory. */
export class LeaseHolders {
  private readonly dataDir: string;
  private networks: readonly LeaseFiles[] | undefined;

  constructor(dataDir: string = DEFAULT_DATA_DIRECTORY) {
    this.dataDir = dataDir;
  }

  /** The addresses that an attachment holds in its network. */
  addressesOf({ network, ...attachment }: Attachment): IpAddress[] {
    const files = this.filesOf(network);
    const contents = contentsOf(attachment);
    return namesIn(files.path).flatMap((name) => {
      const address = parseIp(name);
      const content = address && files.read(name, address)?.content;
      return address !== undefined && content !== undefined && contents.includes(content) ? address : [];
    });
  }

  /** The container interfaces that hold an address, in any network. `ifname` may be empty. */
  holdersOf(address: IpAddress): ContainerInterface[] {
    this.networks ??= namesIn(this.dataDir).map((network) => this.filesOf(network));
    const name = formatIp(address);
    return this.networks.flatMap((files) => {
      const content = readIfThere(files, name, address);
      return content === undefined ? [] : attachmentOf(content);
    });
  }

  /** The addresses by which a network's ranges can be told: those that are held, and the last one given from each set. */
  tracesOf(network: string): IpAddress[] {
    const files = this.filesOf(network);
    return namesIn(files.path).flatMap((name) => {
      if (!name.startsWith(HINT)) return parseIp(name) ?? [];
      return files.readHint(Number(name.slice(HINT.length))) ?? [];
    });
  }

  private filesOf(network: string): LeaseFiles {
    return new LeaseFiles({ dataDir: this.dataDir, network }, () => {});
  }
}

/** The content of a lease; "" for a file that is not readable as one. */
function readIfThere(files: LeaseFiles, name: string, address: IpAddress): string | undefined {
  try {
    const lease = files.read(name, address);
    return lease && (lease.content ?? "");
  } catch (error) {
    if (failedWith(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
