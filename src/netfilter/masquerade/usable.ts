/** Why a backend cannot work on this host, with the remedy (G2). */
import { CniError, code, toCniError } from "../../cni/error.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { rehearse } from "../../netlink/nftables/batch.ts";
import { getExtension } from "../../netlink/nftables/compat.ts";
import { failedWith } from "../../sys/errno.ts";
import { readText } from "../../sys/file.ts";
import { iptablesChain } from "../attachment-names.ts";
import { type Backend, chosen, findRestore, hostTable, legacyTable } from "../iptables/host.ts";
import { requestsFor } from "../iptables/nft-table.ts";
import { findChains, isUnsupported, NO_NFTABLES, openNftables, permissionRemedy } from "../kernel.ts";
import { IPTABLES_POSTROUTING, isHooked, MASQ_POSTROUTING, type OwnChain } from "../nftables/base-chains.ts";
import { planSetUp } from "./iptables-plan.ts";
import { attachmentRequests, tableRequests } from "./nftables.ts";

/** STATUS. @throws CniError code 50 with the remedy when the backend cannot work here; changes nothing */
export async function requireUsable(backend: Backend | undefined): Promise<void> {
  using netfilter = openNftables();
  const problem = await problemOf(await chosen(backend, netfilter), backend, netfilter);
  if (problem !== undefined) throw new CniError(code.notAvailable, problem);
}

/**
 * What is wrong, undefined for nothing.
 * @param failure what an ADD failed with, for which the kernel is asked even where nothing that can be read explains it
 */
export async function problemOf(
  choice: Backend,
  asked: Backend | undefined,
  netfilter: Connection | undefined,
  failure?: string,
): Promise<string | undefined> {
  const find = choice === "iptables" ? problemOfIptables : problemOfNftables;
  const problem = (await find(netfilter, failure !== undefined)) ?? failure;
  const why =
    choice === "nftables" && asked === undefined ? ", which is used where iptables does not work" : "";
  return problem && `cannot masquerade with ${choice}${why}: ${problem}`;
}

/** For a host without iptables for a family. */
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

async function problemOfIptables(netfilter: Connection | undefined, hasFailed: boolean) {
  // Whether a network has IPv6 addresses shows on ADD; a host without ip6tables serves the others.
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
  if (!hasFailed && hasNat(connection, IPTABLES_POSTROUTING[4]) && hasExtensions(connection))
    return undefined;
  const changes = planSetUp(EXAMPLE, 4, ADDRESSES.slice(0, 1))(undefined);
  const requests = requestsFor(4, iptablesChain(EXAMPLE), changes, false);
  const hasOther = (await legacyTable(4)) !== undefined;
  const modules = "load the kernel modules nft_compat, nft_chain_nat, xt_comment and xt_MASQUERADE";
  return refusalOf(connection, requests, `${modules}, ${alternative}`, hasOther);
}

function problemOfNftables(netfilter: Connection | undefined, hasFailed: boolean): string | undefined {
  const remedy =
    "load the kernel modules nf_tables, nft_chain_nat and nft_masq; NAT of the family inet needs Linux 5.2 or later";
  if (netfilter === undefined) return `${NO_NFTABLES}; ${remedy}`;
  if (!hasFailed && hasNat(netfilter, MASQ_POSTROUTING)) return undefined;
  return refusalOf(netfilter, [...tableRequests(), ...attachmentRequests(EXAMPLE, ADDRESSES)], remedy, false);
}

/**
 * What the kernel says against a transaction, which it checks and takes back. That costs 7 to 20 ms.
 * @param hasOther another table serves where the kernel has no nf_tables for the family
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

/**
 * Whether reading shows that the kernel has NAT for nf_tables, or that it can load it. What is built into the kernel
 * does not show before it is used: a kernel without modules is taken to have it (docs/decisions/0034-status-reads.md).
 */
function hasNat(connection: Connection, base: OwnChain): boolean {
  if (isHooked(findChains(connection, [base])[0], base)) return true;
  const loaded = textOf("/proc/modules");
  if (loaded === undefined || `\n${loaded}`.includes("\nnft_chain_nat ")) return true;
  const folder = `/lib/modules/${readText("/proc/sys/kernel/osrelease").trim()}`;
  return ["modules.builtin", "modules.dep"].some((list) =>
    textOf(`${folder}/${list}`)?.includes("/nft_chain_nat.ko"),
  );
}

function textOf(path: string): string | undefined {
  try {
    return readText(path);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Whether iptables-nft's own extensions are there. */
const hasExtensions = (connection: Connection): boolean =>
  connection
    .askAll([getExtension("ip", "match", "comment"), getExtension("ip", "target", "MASQUERADE")])
    .every(({ error }) => error === undefined);
