/** Chooses how ports are published on this host (rules M4, M57). */
import { FAMILIES } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { getTable } from "../../netlink/nftables/table.ts";
import { type Backend, chosen } from "../iptables/host.ts";
import { findChains, getEach } from "../kernel.ts";

/**
 * Whether firewalld runs, by what it has in nf_tables: the table of its backend nftables, or a chain of its backend iptables.
 * It removes both when it ends. When it reloads, it removes the rules of all programs in the tables of iptables.
 */
export function hasFirewalld(connection: Connection): boolean {
  const [table] = getEach(connection, [getTable({ family: "inet", table: "firewalld" })]);
  if (table !== undefined) return true;
  const chains = FAMILIES.map((family) => ({
    family: family === 4 ? ("ip" as const) : ("ip6" as const),
    table: "filter",
    chain: "FORWARD_direct",
  }));
  return findChains(connection, chains).some((chain) => chain !== undefined);
}

/** The configured backend; else nftables beside firewalld; else iptables if it works, and nftables if not. */
export async function backendOf(
  backend: Backend | undefined,
  connection: Connection | undefined,
): Promise<Backend> {
  if (backend === undefined && connection !== undefined && hasFirewalld(connection)) return "nftables";
  return chosen(backend, connection);
}
