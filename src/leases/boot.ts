/** The running machine, as far as the life of attachments goes. Tests put another in its place. */
import { bootId } from "../sys/boot.ts";
import { SystemError } from "../sys/errno.ts";
import { Netns, NoNamespaceError } from "../sys/netns.ts";
import type { Identity } from "./netns-record.ts";
import { ownPidNamespace } from "./pid-namespace.ts";

/** What of the machine decides on the life of attachments. */
export interface Machine {
  /** The first 16 hex digits of the id that the kernel draws at each boot; undefined if it can't be read. */
  boot(): string | undefined;
  /** What to record for an attachment in this namespace; undefined if the namespace can't be opened. */
  identify(netns: string): Identity | undefined;
  /** Those of the identities, all of this boot, whose network namespace is proven gone. */
  gone(identities: readonly Identity[]): Promise<ReadonlySet<Identity>>;
}

/** The machine that this process runs on. */
export const thisMachine: Machine = {
  boot: bootId,
  identify,
  gone: async (identities) => {
    const { netnsOracle } = await import("../sys/netns-handle.ts");
    return (await import("./netns-liveness.ts")).provenGone(identities, netnsOracle());
  },
};

function identify(path: string): Identity | undefined {
  const itsBoot = bootId();
  const pidNamespace = ownPidNamespace();
  if (itsBoot === undefined || pidNamespace === undefined) return undefined;
  return unlessUnreadable(() => {
    using netns = Netns.open(path);
    return {
      boot: itsBoot,
      netns: { inode: netns.identity().inode, cookie: netns.cookie() ?? 0n },
      pidNamespace,
    };
  });
}

function unlessUnreadable<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof SystemError || error instanceof NoNamespaceError) return undefined;
    throw error;
  }
}
