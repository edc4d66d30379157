/** The machine's boot, and which attachments of it are dead. Tests replace it by a fake one. */
import { bootId } from "../sys/boot.ts";
import { type NetnsRecord, takeRecord } from "./netns-record.ts";

/** Decides which attachments are dead. */
export interface Boot {
  /** The first 16 hex digits of the kernel's boot id; undefined if it cannot be read. */
  id(): string | undefined;
  /** What to record for an attachment in this namespace; undefined if the namespace cannot be opened. */
  record(netns: string): NetnsRecord | undefined;
  /** Of these records, which are all of this boot, those whose network namespace is proven gone. */
  gone(records: readonly NetnsRecord[]): Promise<ReadonlySet<NetnsRecord>>;
}

export const thisBoot: Boot = {
  id: bootId,
  record: takeRecord,
  gone: async (records) => (await import("./netns-liveness.ts")).findGone(records),
};
