/** The boot that this process runs in, as far as the life of attachments goes. Tests put another in its place. */
import { bootId } from "../sys/boot.ts";
import { type NetnsRecord, takeRecord } from "./netns-record.ts";

/** What decides on the life of attachments. */
export interface Boot {
  /** The first 16 hex digits of the id that the kernel draws at each boot; undefined if it cannot be read. */
  id(): string | undefined;
  /** What to record for an attachment in this namespace; undefined if the namespace cannot be opened. */
  record(netns: string): NetnsRecord | undefined;
  /** Those of the records, all of this boot, whose network namespace is proven gone. */
  gone(records: readonly NetnsRecord[]): Promise<ReadonlySet<NetnsRecord>>;
}

/** The boot of this machine. */
export const thisBoot: Boot = {
  id: bootId,
  record: takeRecord,
  gone: async (records) => {
    const { netnsOracle } = await import("../sys/netns-handle.ts");
    return (await import("./netns-liveness.ts")).provenGone(records, netnsOracle());
  },
};
