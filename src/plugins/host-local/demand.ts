/** What an ADD wants of one range set. */
import type { Request } from "../../cni/plugin.ts";
import type { Boot } from "../../leases/boot.ts";
import type { LeaseFile } from "../../leases/lease-files.ts";
import type { LeaseStore } from "../../leases/lease-store.ts";
import type { NetnsRecord } from "../../leases/netns-record.ts";
import type { StagedLease } from "../../leases/staged-lease.ts";
import type { IpAddress } from "../../net/ip.ts";
import type { RangeSet } from "./range.ts";

/** One set's part of an ADD. */
export interface Demand {
  readonly store: LeaseStore;
  readonly boot: Boot;
  readonly request: Request;
  /** What the lease records of the attachment's namespace; undefined if that cannot be opened. */
  readonly record: NetnsRecord | undefined;
  /** What the attachment holds already, of this set and others. */
  readonly held: readonly LeaseFile[];
  readonly set: RangeSet;
  /** The set's place in the configuration. */
  readonly index: number;
  /** The address asked for; inside the set's bounds. */
  readonly requested: IpAddress | undefined;
  readonly lease: StagedLease;
}
