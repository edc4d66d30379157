/** The table that the host's own iptables works on (rule B27). */
import type { Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { findLegacyRestore, findRestore } from "./executable.ts";
import type { NatTable } from "./nat-table.ts";

/**
 * Undefined where iptables can't work. The rules of the nft variant are written over netlink, yet only where its program
 * is installed: rules that no tool on the host shows serve no one.
 */
export const hostTable = (connection: Connection | undefined, family: Family): NatTable | undefined =>
  connection !== undefined && findRestore(family)?.variant === "nft"
    ? { family, connection }
    : legacyTable(family);

/** The legacy variant beside the nft one is for kernels that have nf_tables, but not for this family. */
export const otherTable = ({ family, connection }: NatTable): NatTable | undefined =>
  connection === undefined ? undefined : legacyTable(family);

const legacyTable = (family: Family): NatTable | undefined =>
  findLegacyRestore(family) === undefined ? undefined : { family, connection: undefined };
