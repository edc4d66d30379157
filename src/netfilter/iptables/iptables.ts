/** Masquerading with the rules of iptables (rules B28, G5, G16, G17, G27). */
import { CniError, code, combineErrors } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { rehearse } from "../../netlink/nftables/batch.ts";
import { iptablesText } from "../address-rule.ts";
import { isUnsupported, supportsNftables } from "../kernel.ts";
import { iptablesChain, iptablesComment, type Owner, parseIptablesComment } from "../owner.ts";
import { findLegacyRestore, findRestore } from "./executable.ts";
import { hasLegacyTable, LegacyNatTable } from "./legacy-table.ts";
import { NftNatTable } from "./nft-table.ts";
import { isAnonymous, layoutOf, planRemoval, planSetUp, planTearDown } from "./plan.ts";
import type { ChainState, NatTable, StoredJump } from "./state.ts";

const FAMILIES: readonly Family[] = [4, 6];

/** Which addresses are of a family; families without any are left alone. */
const byFamily = (addresses: readonly Prefix[]): [Family, Prefix[]][] =>
  FAMILIES.flatMap((family): [Family, Prefix[]][] => {
    const own = addresses.filter(({ address }) => address.family === family);
    return own.length === 0 ? [] : [[family, own]];
  });

/**
 * The table that the host's iptables works on. The rules of the nft variant are written over netlink, yet only where
 * its program is installed: rules that nobody on the host can see are no service to anybody.
 */
function hostTable(connection: Connection | undefined, family: Family): NatTable | undefined {
  const own = findRestore(family);
  if (own?.variant === "nft" && connection !== undefined && supportsNftables(connection)) {
    return new NftNatTable(connection, family);
  }
  return findLegacyRestore(family) === undefined ? undefined : new LegacyNatTable(family);
}

/** Whether the host's iptables can do it, as far as that shows without changing anything (rule B27). */
export const iptablesWorks = (connection: Connection | undefined): boolean =>
  hostTable(connection, 4) !== undefined;

/** Why iptables cannot do it here, with the remedy; undefined when it can. Changes nothing, but takes 20 ms. */
export function iptablesProblem(connection: Connection | undefined): string | undefined {
  for (const family of FAMILIES) {
    const table = hostTable(connection, family);
    const program = family === 4 ? "iptables" : "ip6tables";
    if (table === undefined) {
      const found = findRestore(family);
      return found === undefined
        ? `no program ${program}-restore in the system's folders or on PATH; install iptables, or set "ipMasqBackend": "nftables"`
        : `${JSON.stringify(found.path)} needs nf_tables, which this kernel does not have; install iptables-legacy, or load nf_tables`;
    }
    if (!(table instanceof NftNatTable) || connection === undefined) continue;
    const example: Owner = { network: "", containerId: "", ifname: "" };
    const address = { family, value: 1n };
    const steps = planSetUp(undefined, example, family, [{ address, length: 8 }]);
    try {
      rehearse(connection, table.requests(iptablesChain(example), steps));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return `${reason}; ${program} needs the kernel modules nft_compat, xt_comment and xt_MASQUERADE; load them, or set "ipMasqBackend": "nftables"`;
    }
  }
  return undefined;
}

/** The longest comment of x_tables, in bytes. */
const MAX_COMMENT = 255;

/** Adds what is missing. @throws CniError */
export function setUpIptables(
  connection: Connection | undefined,
  owner: Owner,
  addresses: readonly Prefix[],
): void {
  const length = new TextEncoder().encode(iptablesComment(owner)).length;
  if (length > MAX_COMMENT) {
    throw new CniError(
      code.invalidConfig,
      `cannot masquerade with iptables: the comment ${iptablesComment(owner)} has ${length} bytes, ${MAX_COMMENT} fit; ` +
        `use a shorter network name or "ipMasqBackend": "nftables"`,
    );
  }
  for (const [family, own] of byFamily(addresses)) {
    const table = hostTable(connection, family);
    if (table === undefined) {
      throw new CniError(code.internal, `cannot masquerade with iptables: ${iptablesProblem(connection)}`);
    }
    table.update(iptablesChain(owner), (state) => planSetUp(state, owner, family, own));
  }
}

/** All tables that can hold rules, whatever the host's iptables is now: another one may have been before. */
const allTables = (connection: Connection | undefined): NatTable[] =>
  FAMILIES.flatMap((family): NatTable[] => [
    ...(connection === undefined ? [] : [new NftNatTable(connection, family)]),
    ...(hasLegacyTable(family) ? [new LegacyNatTable(family)] : []),
  ]);

/** Does the same to all tables and goes on past errors. @throws CniError, all errors in one */
function forAllTables(connection: Connection | undefined, action: (table: NatTable) => void): void {
  const failures: unknown[] = [];
  for (const table of allTables(connection)) {
    try {
      action(table);
    } catch (error) {
      if (!isUnsupported(error)) failures.push(error);
    }
  }
  const error = combineErrors(failures);
  if (error !== undefined) throw error;
}

/** Removes the attachment's rules of all variants. @throws CniError */
export function tearDownIptables(connection: Connection | undefined, owner: Owner): void {
  forAllTables(connection, (table) =>
    table.update(iptablesChain(owner), (state) => planTearDown(state, owner)),
  );
}

/** What is lost or altered of the attachment's rules, in sentences (G17). @throws CniError */
export function iptablesDamage(
  connection: Connection | undefined,
  owner: Owner,
  addresses: readonly Prefix[],
): string[] {
  return byFamily(addresses).flatMap(([family, own]) => {
    const tables = [hostTable(connection, family), ...allTables(connection)];
    const usable = tables.filter((table): table is NatTable => table?.family === family);
    const state = firstFound(usable, iptablesChain(owner));
    const name = usable[0]?.name ?? "iptables";
    return damageOf(state, name, owner, family, own);
  });
}

function firstFound(tables: readonly NatTable[], chain: string): ChainState | undefined {
  for (const table of tables) {
    const state = table.read(chain);
    if (state !== undefined) return state;
  }
  return undefined;
}

function damageOf(
  state: ChainState | undefined,
  table: string,
  owner: Owner,
  family: Family,
  addresses: readonly Prefix[],
): string[] {
  const chain = iptablesChain(owner);
  if (state === undefined) {
    const lost = addresses.map(formatPrefix).join(" and ");
    return [`the nat table of ${table} has no chain ${chain}, by which ${lost} is masqueraded`];
  }
  const { accepts, masquerade, jumps } = layoutOf(owner, family, addresses);
  const texts = (rules: ChainState["rules"]): string[] =>
    rules.map(({ rule }) => (rule === undefined ? "" : iptablesText(rule)));
  const inChain = texts(state.rules);
  const masqueradeAt = inChain.indexOf(iptablesText(masquerade));
  const effective = masqueradeAt < 0 ? inChain : inChain.slice(0, masqueradeAt);
  const lost = (where: string, text: string): string =>
    `chain ${where} of the nat table of ${table} lacks the rule "-A ${where} ${text}"`;
  return [
    ...accepts.map(iptablesText).flatMap((text) => (effective.includes(text) ? [] : [lost(chain, text)])),
    ...(masqueradeAt < 0 ? [lost(chain, iptablesText(masquerade))] : []),
    ...jumps
      .map(iptablesText)
      .flatMap((text) => (texts(state.jumps).includes(text) ? [] : [lost("POSTROUTING", text)])),
  ];
}

/** Removes rules of the network's attachments that are not valid (G1). @throws CniError */
export function collectIptables(
  connection: Connection | undefined,
  network: string,
  valid: readonly { containerId: string; ifname: string }[],
): void {
  forAllTables(connection, (table) => {
    for (const { chain } of table.readAll(network)) {
      table.update(chain, (state) => (state === undefined ? [] : planCollection(state, network, valid)));
    }
  });
}

function planCollection(
  state: ChainState,
  network: string,
  valid: readonly { containerId: string; ifname: string }[],
) {
  const comments = [...state.jumps, ...state.rules].map(({ rule }) => parseIptablesComment(rule?.comment));
  const containerId = comments.find((comment) => comment?.network === network)?.containerId;
  if (containerId === undefined || iptablesChain({ network, containerId, ifname: "" }) !== state.chain)
    return [];
  const living = valid.filter((attachment) => attachment.containerId === containerId);
  const isStale = (jump: StoredJump): boolean =>
    isAnonymous({ network, containerId })(jump)
      ? living.length === 0
      : jump.ifname !== undefined && !living.some(({ ifname }) => ifname === jump.ifname);
  const stale = state.jumps.filter(isStale);
  const deserted = state.jumps.length === 0 && living.length === 0;
  return stale.length > 0 || deserted ? planRemoval(state, stale) : [];
}
