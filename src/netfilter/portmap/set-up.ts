/** Publishes an attachment's ports in the current network namespace (rules M10 to M18, M45 to M59). */
import { CniError, code } from "../../cni/error.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { NetlinkError } from "../../netlink/error.ts";
import { type Backend, hostTable } from "../iptables/host.ts";
import { NO_NFTABLES, openNftables } from "../kernel.ts";
import { update } from "../nftables/update.ts";
import { backendOf } from "./backend.ts";
import type { Compilation } from "./conditions.ts";
import { removeElsewhere, type Table } from "./elsewhere.ts";
import { staleFlows, tryToEndFlows } from "./flows.ts";
import { guardRequests } from "./guard.ts";
import { GuardLock, routeLocalnet } from "./guard-lock.ts";
import {
  describeMapping,
  describeRival,
  type Mapping,
  mappingsOf,
  type Published,
  type Rival,
} from "./published.ts";
import type { Step, Verdicts } from "./step.ts";

/** What publishing needs beside the ports. */
export interface Surroundings {
  readonly backend: Backend | undefined;
  /** The interface that leads to the container's IPv4 address. */
  readonly device: string | undefined;
  /** Of the records of other attachments, those whose container is provably gone. */
  readonly gone: (records: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Takes the host's lock. */
  readonly lock: () => Disposable | undefined;
  readonly log: (line: string) => void;
}

/**
 * All families in one transaction, or for iptables-legacy in one for each. The rules of an earlier ADD are replaced. After a
 * failure some rules may exist in iptables-legacy; call `tearDown`. @throws CniError, NetlinkError
 */
export async function setUp(published: Published, surroundings: Surroundings): Promise<void> {
  const { backend, log } = surroundings;
  const families = FAMILIES.filter(
    (family) => published.addresses[family] !== undefined && mappingsOf(published, family).length > 0,
  );
  if (families.length === 0) return;
  using netfilter = openNftables();
  const choice = await backendOf(backend, netfilter);
  const used = new Map<Family, Table>();
  let rivals: readonly Rival[];
  try {
    for (const family of families)
      used.set(family, choice === "nftables" ? choice : await tableOf(netfilter, family));
    if (choice === "iptables") rivals = await setUpIptables(netfilter, published, used, surroundings);
    else if (netfilter === undefined)
      throw new CniError(code.internal, `cannot publish ports with nftables: ${NO_NFTABLES}`);
    else rivals = await setUpNftables(netfilter, published, families, surroundings);
  } catch (error) {
    if (netfilter !== undefined && (published.conditions[4] ?? published.conditions[6]) !== undefined)
      (await import("./conditions.ts")).removeLeftConditions(netfilter, published);
    if (!(error instanceof NetlinkError) || error.isTemporary) throw error;
    const problem = (await import("./usable.ts")).problemOf(choice, error);
    throw new CniError(code.internal, `cannot publish ports with ${choice}: ${problem}`);
  }
  await removeElsewhere(netfilter, published, used, surroundings);
  report(rivals, log);
  const stale: (Mapping & { family: Family })[] = families.flatMap((family) =>
    mappingsOf(published, family).map((mapping) => ({ ...mapping, family })),
  );
  tryToEndFlows(netfilter, staleFlows(stale), log);
}

async function setUpNftables(
  netfilter: Connection,
  published: Published,
  families: readonly Family[],
  surroundings: Surroundings,
): Promise<readonly Rival[]> {
  const { ownRules, readState, rivalOf, setUpRequests } = await import("./nftables.ts");
  const { deleteRule } = await import("../../netlink/nftables/rule.ts");
  const compilations = new Map<Family, Compilation>();
  for (const family of families) {
    const words = published.conditions[family];
    if (words === undefined) continue;
    const { compileForNft } = await import("./conditions.ts");
    compilations.set(family, compileForNft(netfilter, published, family, words));
  }
  return transaction(netfilter, published, families, surroundings, (family, verdicts) => {
    const state = readState(netfilter, family, published);
    const compilation = compilations.get(family);
    const rivals = state.rivals.map(rivalOf);
    const dead = new Set(
      rivals.flatMap(({ mark, record }) => (verdicts.get(record) === "gone" ? (mark ?? []) : [])),
    );
    const removed =
      dead.size === 0
        ? []
        : ownRules(netfilter, family, {
            mark: (mark) => dead.has(mark),
            unmarked: () => false,
            parts: [...dead],
          });
    const requests = [
      ...setUpRequests(published, family, state, compilation?.compiled),
      ...removed.map(deleteRule),
      ...(compilation?.cleanUp ?? []),
    ];
    return { requests, rivals };
  });
}

async function setUpIptables(
  netfilter: Connection | undefined,
  published: Published,
  used: ReadonlyMap<Family, Table>,
  surroundings: Surroundings,
): Promise<readonly Rival[]> {
  const { stepOfNft, updateLegacyTable } = await import("./iptables.ts");
  const legacy: Family[] = [];
  const nft: Family[] = [];
  for (const [family, table] of used) (table === "iptables-legacy" ? legacy : nft).push(family);
  let rivals: readonly Rival[] = [];
  if (netfilter !== undefined && nft.length > 0) {
    const step = await stepOfNft(netfilter, published, nft);
    rivals = await transaction(netfilter, published, nft, surroundings, step);
  }
  for (const family of legacy) rivals = rivals.concat(await updateLegacyTable(published, family));
  if (legacy.includes(4)) await guardLegacy(netfilter, published, surroundings);
  return rivals;
}

/** The table of the host's iptables. @throws CniError */
async function tableOf(netfilter: Connection | undefined, family: Family): Promise<Table> {
  const table = await hostTable(netfilter, family);
  if (table === undefined) throw noIptables(family);
  return table.connection === undefined ? "iptables-legacy" : "iptables-nft";
}

function noIptables(family: Family): CniError {
  const program = family === 4 ? "iptables" : "ip6tables";
  return new CniError(
    code.internal,
    `cannot publish ports with ${program}: there is no program ${program}-restore that works with this kernel in the ` +
      `system's folders or on PATH; install ${program}, or set "backend": "nftables"`,
  );
}

/** The interface for which connections to 127.0.0.1 are led into the container's network (M18). */
const guarded = (
  { snat }: Published,
  families: readonly Family[],
  { device }: Surroundings,
): string | undefined => (snat && families.includes(4) ? device : undefined);

/**
 * Makes the changes of all families and the guard in one transaction. A rival whose record may be that of a dead container is
 * judged first, outside of the plan. @returns the rivals that live
 */
async function transaction(
  netfilter: Connection,
  published: Published,
  families: readonly Family[],
  surroundings: Surroundings,
  step: (family: Family, verdicts: Verdicts) => Step,
): Promise<readonly Rival[]> {
  const device = guarded(published, families, surroundings);
  const verdicts: Verdicts = new Map();
  using lock = new GuardLock(surroundings.lock);
  for (;;) {
    let rivals: Rival[] = [];
    let open: string[] = [];
    update(netfilter, () => {
      const steps = families.map((family) => step(family, verdicts));
      rivals = steps.flatMap((each) => each.rivals);
      open = rivals.flatMap(({ record }) => (record === "" || verdicts.has(record) ? [] : record));
      if (open.length > 0) return [];
      const guard = device === undefined ? [] : guardRequests(netfilter, published, device, lock);
      return guard === undefined ? [] : [...guard, ...steps.flatMap(({ requests }) => requests)];
    });
    if (lock.mustRepeat()) continue;
    if (open.length === 0) {
      if (device !== undefined) routeLocalnet(device);
      return rivals.filter(({ record }) => verdicts.get(record) !== "gone");
    }
    const gone = await surroundings.gone(open);
    for (const record of open) verdicts.set(record, gone.has(record) ? "gone" : "alive");
  }
}

/** The guard is always in nf_tables. */
async function guardLegacy(
  netfilter: Connection | undefined,
  published: Published,
  surroundings: Surroundings,
): Promise<void> {
  const device = guarded(published, [4], surroundings);
  if (device === undefined) return;
  if (netfilter === undefined)
    surroundings.log(
      `containers on ${device} may reach services on 127.0.0.1 of this host: ${NO_NFTABLES}, in which the rules against that would be`,
    );
  using lock = new GuardLock(surroundings.lock);
  if (netfilter !== undefined)
    do update(netfilter, () => guardRequests(netfilter, published, device, lock) ?? []);
    while (lock.mustRepeat());
  routeLocalnet(device);
}

/** M47: names the attachments that have lost a port. */
function report(rivals: readonly Rival[], log: (line: string) => void): void {
  const lines = new Set(
    rivals.map(
      (rival) =>
        `host port ${describeMapping(rival.mapping)} led to ${describeRival(rival)}; from now on it leads to this container`,
    ),
  );
  for (const line of lines) log(line);
}
