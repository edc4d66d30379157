/** Reads all that `leases`, `release` and `gc` say of the leases of this host. */
import type { Cache } from "./cache.ts";
import type { CommandError } from "./exit-codes.ts";
import { dataDirIn, type HostFiles, networkProblems, readHostFiles } from "./host-files.ts";
import { type Input, textOption } from "./input.ts";
import type { LeaseFolder } from "./lease-folders.ts";
import { type Evidence, type JudgedLease, judge, withLiving } from "./lease-states.ts";
import type { Seen } from "./living.ts";
import { unknownNetwork } from "./named.ts";
import type { Network, Networks } from "./networks.ts";
import { step } from "./progress.ts";
import { hostLocalOf, rangeSetsOf, type SetUse, usesOf } from "./range-sets.ts";

/** The leases of a network in one folder. */
export interface NetworkLeases {
  readonly network: string;
  readonly dataDir: string;
  /** Undefined if the folder does not exist yet. */
  readonly folder: LeaseFolder | undefined;
  readonly sets: readonly SetUse[];
  readonly leases: readonly JudgedLease[];
}

/** The leases of this host. */
export interface LeaseReport {
  readonly networks: readonly NetworkLeases[];
  readonly configured: Networks;
  readonly cache: Cache;
  /** What could not be read, in whole sentences; the rest of the report is right all the same. */
  readonly problems: readonly string[];
}

/**
 * The leases of all networks, or of one. @param name the network, which must exist.
 * @param read what was read already, by the same options. @throws CommandError
 */
export async function readLeases(
  input: Pick<Input, "options">,
  name?: string,
  read?: HostFiles & Seen,
): Promise<LeaseReport> {
  const only = name ?? textOption(input, "network");
  const { networks: configured, folders, cache } = read ?? readHostFiles(input, only);
  const problems = networkProblems(configured);
  const networks: NetworkLeases[] = [];
  const judgeAll = async (living: Evidence | undefined): Promise<void> => {
    for (const folder of folders) {
      step(`judging the leases of ${folder.network}`);
      const network = networkOf(configured.networks, folder.network);
      const leases = await judge(folder, living);
      networks.push({ ...folder, folder, leases, sets: usesOf(setsOf(network, problems), folder, leases) });
    }
  };
  await withLiving(cache, configured.networks, judgeAll, read);
  for (const network of configured.networks) {
    if (network.shadowedBy !== undefined || (only !== undefined && network.name !== only)) continue;
    if (networks.some((each) => each.network === network.name) || hostLocalOf(network) === undefined)
      continue;
    const sets = usesOf(setsOf(network, problems), undefined, []);
    networks.push({
      network: network.name,
      dataDir: dataDirIn(input) ?? "",
      folder: undefined,
      sets,
      leases: [],
    });
  }
  if (only !== undefined && networks.length === 0 && networkOf(configured.networks, only) === undefined)
    throw await unknown(input, only, configured.networks);
  networks.sort((a, b) => (a.network < b.network ? -1 : a.network > b.network ? 1 : 0));
  return { networks, configured, cache, problems };
}

const networkOf = (networks: readonly Network[], name: string): Network | undefined =>
  networks.find((network) => network.name === name && network.shadowedBy === undefined);

function setsOf(network: Network | undefined, problems: string[]) {
  const sets = network === undefined ? [] : rangeSetsOf(network);
  if (typeof sets !== "string") return sets;
  problems.push(`cannot read the ranges of ${JSON.stringify(network?.file)}: ${sets}`);
  return [];
}

async function unknown(
  { options }: Pick<Input, "options">,
  name: string,
  configured: readonly Network[],
): Promise<CommandError> {
  const all = await readLeases({ options: { ...options, network: undefined } });
  const names = [...configured.map((each) => each.name), ...all.networks.map(({ network }) => network)];
  return unknownNetwork(name, "a folder of leases", names);
}
