/** Masquerading with the rules of iptables (rules B28, G5, G16, G17, G27). */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { rehearse } from "../../netlink/nftables/batch.ts";
import { iptablesChain } from "../attachment-names.ts";
import { isUnsupported, permissionRemedy } from "../kernel.ts";
import { findLegacyRestore, findRestore } from "./executable.ts";
import { hasLegacyTable, LegacyNatTable } from "./legacy-table.ts";
import { type Change, NftNatTable, updateTogether } from "./nft-table.ts";
import { planSetUp, planTearDown } from "./plan.ts";
import type { ChainState, NatTable } from "./state.ts";

/** Which addresses are of a family; families without any are left alone. */
export const byFamily = (addresses: readonly Prefix[]): [Family, Prefix[]][] =>
  FAMILIES.flatMap((family): [Family, Prefix[]][] => {
    const own = addresses.filter(({ address }) => address.family === family);
    return own.length === 0 ? [] : [[family, own]];
  });

/**
 * The table that the host's iptables works on; undefined where it can't. The rules of the nft variant are written over
 * netlink, yet only where its program is installed: rules that nobody on the host can see serve nobody.
 */
export function hostTable(connection: Connection | undefined, family: Family): NatTable | undefined {
  const nft = connection !== undefined && findRestore(family)?.variant === "nft";
  return nft ? new NftNatTable(connection, family) : legacyTable(family);
}

/** The legacy variant beside the nft one is for kernels that have nf_tables, but not for this family. */
const otherTable = (first: NatTable | undefined, family: Family): NatTable | undefined =>
  first instanceof NftNatTable ? legacyTable(family) : undefined;

const legacyTable = (family: Family): NatTable | undefined =>
  findLegacyRestore(family) === undefined ? undefined : new LegacyNatTable(family);

/** Whether the host's iptables can do it, as far as that shows without changing anything (rule B27). */
export const iptablesWorks = (connection: Connection | undefined): boolean =>
  hostTable(connection, 4) !== undefined;

/** Why iptables cannot do it here, with the remedy; undefined when it can. Changes nothing, but takes 20 ms. */
export function iptablesProblem(connection: Connection | undefined): string | undefined {
  // Whether a network has IPv6 addresses shows on ADD; a host without ip6tables serves the others.
  const family = 4;
  const table = hostTable(connection, family);
  const alternative = `or set "ipMasqBackend": "nftables"`;
  if (table === undefined) {
    const found = findRestore(family);
    return found === undefined
      ? `there is no program iptables-restore in the system's folders or on PATH; install iptables, ${alternative}`
      : `${JSON.stringify(found.path)} works on nf_tables, which this kernel does not have; load the module nf_tables, or install iptables-legacy`;
  }
  if (!(table instanceof NftNatTable) || connection === undefined) return undefined;
  const example: Attachment = { network: "", containerId: "", ifname: "" };
  const steps = planSetUp(undefined, example, family, [{ address: { family, value: 1n }, length: 8 }]);
  try {
    rehearse(connection, table.requests(iptablesChain(example), steps));
    return undefined;
  } catch (error) {
    if (isUnsupported(error) && otherTable(table, family) !== undefined) return undefined;
    const modules = `load the kernel modules nft_compat, nft_chain_nat, xt_comment and xt_MASQUERADE, ${alternative}`;
    return `${toCniError(error).message}; ${permissionRemedy(error) ?? modules}`;
  }
}

/** Adds what is missing. @throws CniError */
export function setUpIptables(
  connection: Connection | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): void {
  const chain = iptablesChain(attachment);
  const changes = byFamily(addresses).map(([family, own]) => ({
    family,
    table: usableTable(connection, family),
    plan: (state: ChainState | undefined) => planSetUp(state, attachment, family, own),
  }));
  if (connection !== undefined && setUpTogether(connection, chain, changes)) return;
  for (const { family, table, plan } of changes) {
    try {
      table.update(chain, plan);
    } catch (error) {
      const other = isUnsupported(error) ? otherTable(table, family) : undefined;
      if (other === undefined) throw error;
      other.update(chain, plan);
    }
  }
}

/** @throws CniError where the host has no iptables for the family */
function usableTable(connection: Connection | undefined, family: Family): NatTable {
  const table = hostTable(connection, family);
  if (table !== undefined) return table;
  const program = family === 4 ? "iptables" : "ip6tables";
  throw new CniError(
    code.internal,
    `cannot masquerade with ${program}: there is no program ${program}-restore that works with this kernel in the ` +
      `system's folders or on PATH; install ${program}, or set "ipMasqBackend": "nftables"`,
  );
}

/**
 * Both families at once, where both are of the nft variant. False where they are not, or the kernel has nf_tables for
 * one of them only: then nothing was done.
 */
function setUpTogether(
  connection: Connection,
  chain: string,
  changes: readonly { table: NatTable; plan: Change["plan"] }[],
): boolean {
  const together = changes.flatMap(({ table, plan }): Change[] =>
    table instanceof NftNatTable ? [{ table, plan }] : [],
  );
  if (together.length < 2 || together.length < changes.length) return false;
  try {
    updateTogether(connection, chain, together);
    return true;
  } catch (error) {
    if (isUnsupported(error)) return false;
    throw error;
  }
}

/** All tables that can hold rules, whatever the host's iptables is now: another one may have been before. */
export const allTables = (connection: Connection | undefined): NatTable[] =>
  FAMILIES.flatMap((family): NatTable[] => [
    ...(connection === undefined ? [] : [new NftNatTable(connection, family)]),
    ...(hasLegacyTable(family) ? [new LegacyNatTable(family)] : []),
  ]);

/** Does the same to all tables and goes on past errors. @throws CniError, all errors in one */
export function forAllTables(connection: Connection | undefined, action: (table: NatTable) => void): void {
  const failures = new Failures();
  for (const table of allTables(connection)) {
    try {
      action(table);
    } catch (error) {
      if (!isUnsupported(error)) failures.add(error);
    }
  }
  failures.throwIfAny();
}

/** Removes the attachment's rules of all variants. @throws CniError */
export function tearDownIptables(connection: Connection | undefined, attachment: Attachment): void {
  forAllTables(connection, (table) =>
    table.update(iptablesChain(attachment), (state) => planTearDown(state, attachment)),
  );
}
