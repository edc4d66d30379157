/** Why a backend cannot work on this host, with the remedy (G2). */
import { toCniError } from "../../cni/error.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { rehearse } from "../../netlink/nftables/batch.ts";
import { getExtension } from "../../netlink/nftables/compat.ts";
import { failedWith } from "../../sys/errno.ts";
import { readText } from "../../sys/file.ts";
import { iptablesChain } from "../attachment-names.ts";
import { findRestore } from "../iptables/executable.ts";
import { hostTable, otherTable } from "../iptables/host-table.ts";
import { requestsFor } from "../iptables/nft-table.ts";
import { isHooked, MASQ_POSTROUTING, type OwnChain, postroutingOf } from "../nftables/base-chains.ts";
import { findChains, isUnsupported, permissionRemedy } from "../nftables/kernel.ts";
import { planSetUp } from "./iptables-plan.ts";
import { attachmentRequests, tableRequests } from "./nftables.ts";

const EXAMPLE = { network: "", containerId: "", ifname: "" };
const exampleAddress = (family: 4 | 6): Prefix => ({ address: { family, value: 1n }, length: 8 });

/**
 * Why iptables cannot do it here; undefined when it can. Changes nothing.
 * @param isSure asks the kernel even where nothing that can be read speaks against it
 */
export function iptablesProblem(connection: Connection | undefined, isSure: boolean): string | undefined {
  // Whether a network has IPv6 addresses shows on ADD; a host without ip6tables serves the others.
  const table = hostTable(connection, 4);
  const alternative = `or set "ipMasqBackend": "nftables"`;
  if (table === undefined) {
    const found = findRestore(4);
    return found === undefined
      ? `there is no program iptables-restore in the system's folders or on PATH; install iptables, ${alternative}`
      : `${JSON.stringify(found.path)} works on nf_tables, which this kernel does not have; load the module nf_tables, or install iptables-legacy`;
  }
  if (table.connection === undefined) return undefined;
  const base = postroutingOf("ip");
  if (!isSure && hasNat(table.connection, base) && hasExtensions(table.connection)) return undefined;
  const chain = iptablesChain(EXAMPLE);
  const changes = planSetUp(undefined, EXAMPLE, 4, [exampleAddress(4)]);
  const error = refusalOf(table.connection, requestsFor(base, chain, changes, true));
  if (error === undefined || (isUnsupported(error) && otherTable(table) !== undefined)) return undefined;
  const modules = `load the kernel modules nft_compat, nft_chain_nat, xt_comment and xt_MASQUERADE, ${alternative}`;
  return `${toCniError(error).message}; ${permissionRemedy(error) ?? modules}`;
}

/** The same for nftables. */
export function nftablesProblem(connection: Connection | undefined, isSure: boolean): string | undefined {
  const remedy =
    "load the kernel modules nf_tables, nft_chain_nat and nft_masq; NAT of the family inet needs Linux 5.2 or later";
  if (connection === undefined) return `this kernel has no nf_tables; ${remedy}`;
  if (!isSure && hasNat(connection, MASQ_POSTROUTING)) return undefined;
  const example = attachmentRequests(EXAMPLE, [exampleAddress(4), exampleAddress(6)]);
  const error = refusalOf(connection, [...tableRequests(), ...example]);
  return error === undefined
    ? undefined
    : `${toCniError(error).message}; ${permissionRemedy(error) ?? remedy}`;
}

/** What the kernel says against a transaction, which it checks and takes back. That costs 7 to 20 ms. */
function refusalOf(connection: Connection, requests: readonly Request[]): unknown {
  try {
    rehearse(connection, requests);
    return undefined;
  } catch (error) {
    return error;
  }
}

/**
 * Whether reading shows that the kernel has NAT for nf_tables, or that it can load it. What is built into the kernel
 * does not show before it is used: a kernel without modules is taken to have it (docs/masquerade.md).
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
