/** Explains why a backend cannot work on this host (G2), by having the kernel check the transaction of an ADD. */
import { CniError, code, toCniError } from "../../cni/error.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { rehearse } from "../../netlink/nftables/batch.ts";
import { type Backend, findRestore, hostTable, legacyTable } from "../iptables/host.ts";
import { requestsFor } from "../iptables/nft-changes.ts";
import { isUnsupported, NO_NFTABLES, permissionRemedy } from "../kernel.ts";
import { IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";
import { planSetUp } from "./iptables-plan.ts";
import { attachmentRequests, tableRequests } from "./nftables.ts";

/** The problem of the backend, or else `failure`, the message of a failed ADD; undefined if the backend can work. */
export async function problemOf(
  choice: Backend,
  asked: Backend | undefined,
  netfilter: Connection | undefined,
  failure?: string,
): Promise<string | undefined> {
  const problem =
    (choice === "iptables" ? await problemOfIptables(netfilter) : problemOfNftables(netfilter)) ?? failure;
  const why =
    choice === "nftables" && asked === undefined ? ", which is used where iptables does not work" : "";
  return problem && `cannot masquerade with ${choice}${why}: ${problem}`;
}

/** The error of a host that has no iptables for a family. */
export function noIptables(family: Family): CniError {
  const program = family === 4 ? "iptables" : "ip6tables";
  return new CniError(
    code.internal,
    `cannot masquerade with ${program}: there is no program ${program}-restore that works with this kernel in the ` +
      `system's folders or on PATH; install ${program}, or set "ipMasqBackend": "nftables"`,
  );
}

const EXAMPLE = { network: "", containerId: "", ifname: "" };
const ADDRESSES = FAMILIES.map((family): Prefix => ({ address: { family, value: 1n }, length: 8 }));

async function problemOfIptables(netfilter: Connection | undefined) {
  // Only IPv4 is checked: a host without ip6tables can serve networks without IPv6 addresses.
  const table = await hostTable(netfilter, 4);
  const alternative = `or set "ipMasqBackend": "nftables"`;
  if (table === undefined) {
    const path = findRestore(4);
    return path === undefined
      ? `there is no program iptables-restore in the system's folders or on PATH; install iptables, ${alternative}`
      : `${JSON.stringify(path)} works on nf_tables, which this kernel does not have; load the module nf_tables, or install iptables-legacy`;
  }
  const { connection } = table;
  if (connection === undefined) return undefined;
  const base = IPTABLES_POSTROUTING[4];
  const changes = planSetUp(EXAMPLE, 4, ADDRESSES.slice(0, 1))(undefined);
  const requests = requestsFor(base, changes, [base]);
  const hasOther = (await legacyTable(4)) !== undefined;
  const modules = "load the kernel modules nft_compat, nft_chain_nat, xt_comment and xt_MASQUERADE";
  return refusalOf(connection, requests, `${modules}, ${alternative}`, hasOther);
}

function problemOfNftables(netfilter: Connection | undefined): string | undefined {
  const remedy =
    "load the kernel modules nf_tables, nft_chain_nat and nft_masq; NAT of the family inet needs Linux 5.2 or later";
  if (netfilter === undefined) return `${NO_NFTABLES}; ${remedy}`;
  return refusalOf(netfilter, [...tableRequests(), ...attachmentRequests(EXAMPLE, ADDRESSES)], remedy, false);
}

/**
 * The kernel's error for a transaction, which it checks and aborts. That takes 7 to 20 ms.
 * @param hasOther whether another table can be used if the kernel has no nf_tables for the family
 */
function refusalOf(connection: Connection, requests: readonly Request[], remedy: string, hasOther: boolean) {
  try {
    rehearse(connection, requests);
    return undefined;
  } catch (error) {
    if (hasOther && isUnsupported(error)) return undefined;
    return `${toCniError(error).message}; ${permissionRemedy(error) ?? remedy}`;
  }
}
