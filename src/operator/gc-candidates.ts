/**
 * Which attachments `gc` may free (rules O6, O11): what is proven dead, and with a complete list of the living also what is not
 * on it; never what shows any sign of life.
 */
import type { Attachment } from "../cni/attachment.ts";
import { DEFAULT_DATA_DIRECTORY } from "../leases/holders.ts";
import { goneOf } from "../plugins/portmap/surroundings.ts";
import type { HostState } from "./attachments.ts";
import { deathOf } from "./death.ts";
import { dataDirOf } from "./lease-folders.ts";
import type { LeaseReport } from "./lease-report.ts";
import type { JudgedLease } from "./lease-states.ts";
import type { LivingList } from "./living-list.ts";
import type { Network } from "./networks.ts";
import { type OwnedRule, recordOf } from "./owned-rules.ts";

/** An attachment that may go. */
export interface Candidate {
  readonly attachment: Attachment;
  readonly network: Network | undefined;
  readonly dataDir: string;
  readonly leases: readonly JudgedLease[];
  readonly rules: readonly OwnedRule[];
  /** As in "its network namespace is gone". */
  readonly why: string;
}

/** An attachment that is not on the list, and stays. */
export interface Kept {
  readonly lease: JudgedLease;
  readonly why: string;
}

/** What may go, and what stays against the list. */
export interface Candidates {
  readonly leaving: readonly Candidate[];
  readonly kept: readonly Kept[];
}

const NOT_LISTED = "it is not on the list of living containers";

/** All candidates. Without a list only the proven dead. */
export async function findCandidates(
  report: LeaseReport,
  host: HostState,
  list: LivingList | undefined,
): Promise<Candidates> {
  const kept: Kept[] = [];
  const leaving: Candidate[] = [];
  const candidateOf = candidatesOf(host);
  const groups = Map.groupBy(
    report.networks.flatMap(({ leases }) => leases),
    (lease) => `${folderOf(lease)}/${keyOf(lease)}`,
  );
  const withLease = new Set<string>();
  for (const leases of groups.values()) {
    const [first, ...others] = leases;
    if (first === undefined) continue;
    withLease.add(keyOf(first));
    const isListed = list?.has(first.containerId) ?? true;
    const living = leases.find(({ state }) => state === "alive");
    if (living !== undefined) {
      if (!isListed) kept.push({ lease: living, why: living.why });
      continue;
    }
    const death = deathOf(leases, undefined, false);
    // A container of the list lives, whatever its record says.
    const why = list === undefined ? death : isListed ? undefined : (death ?? NOT_LISTED);
    if (why === undefined) continue;
    leaving.push(candidateOf([first, ...others], why));
  }
  for (const candidate of await withoutLeases(host, list))
    if (!withLease.has(keyOf(candidate.attachment))) leaving.push(candidate);
  return { leaving, kept };
}

const keyOf = ({ network, containerId, ifname }: Attachment): string => `${network}/${containerId}/${ifname}`;

/** The directory above the folder of a lease. */
const folderOf = ({ path, network }: JudgedLease): string => path.slice(0, path.lastIndexOf(`/${network}/`));

function placeOf({ network: name, containerId, ifname }: Attachment, host: HostState, dataDir?: string) {
  const network = host.networks.networks.find((each) => each.name === name && each.shadowedBy === undefined);
  return {
    attachment: { network: name, containerId, ifname },
    network,
    dataDir: dataDir ?? (network === undefined ? DEFAULT_DATA_DIRECTORY : dataDirOf(network)),
  };
}

/** Makes a candidate of the leases of an attachment in one folder. */
export type CandidateMaker = (
  leases: readonly [JudgedLease, ...(readonly JudgedLease[])],
  why: string,
) => Candidate;

/** Adds the network and the rules that the host has of an attachment. */
export function candidatesOf(host: HostState): CandidateMaker {
  const rules = new Map(host.attachments.map((each) => [keyOf(each), each.rules]));
  return (leases, why) => {
    const [first] = leases;
    return { ...placeOf(first, host, folderOf(first)), leases, rules: rules.get(keyOf(first)) ?? [], why };
  };
}

/** Attachments of which only rules are left: with leases of another IPAM plugin, or after a lease was removed by hand. */
async function withoutLeases(host: HostState, list: LivingList | undefined): Promise<Candidate[]> {
  const found = new Map<string, { attachment: Attachment; rules: OwnedRule[] }>();
  const add = (attachment: Attachment, rules: readonly OwnedRule[]): void => {
    const entry = found.get(keyOf(attachment)) ?? { attachment, rules: [] };
    for (const rule of rules) entry.rules.push(rule);
    found.set(keyOf(attachment), entry);
  };
  for (const rule of host.orphans) {
    const { network, containerId, ifname = "" } = rule;
    if (network !== undefined && containerId !== undefined) add({ network, containerId, ifname }, [rule]);
  }
  for (const each of host.attachments) {
    // A link or a namespace is a sign of life.
    if (
      each.leases.length === 0 &&
      each.links.length === 0 &&
      each.netns === undefined &&
      each.rules.length > 0
    )
      add(each, each.rules);
  }
  const all = [...found.values()];
  const recordsOf = (rules: readonly OwnedRule[]) => rules.flatMap((rule) => recordOf(rule) ?? []);
  const gone = await goneOf(all.flatMap(({ rules }) => recordsOf(rules)));
  return all.flatMap(({ attachment, rules }): Candidate[] => {
    const isDead = recordsOf(rules).some((record) => gone.has(record));
    const isListed = list?.has(attachment.containerId) ?? true;
    const death = deathOf([], undefined, isDead);
    const why = list === undefined ? death : isListed ? undefined : (death ?? NOT_LISTED);
    return why === undefined ? [] : [{ ...placeOf(attachment, host), leases: [], rules, why }];
  });
}
