/** Turns the keys of an `ipam` section into an allocation configuration (rules H40–H45, A52). */
import { ipamOf, type NetworkConfig } from "../../cni/config.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import { readKeys } from "../../cni/keys.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Route } from "../../cni/result.ts";
import { refuseSeveralOfAFamily } from "../../cni/result-version.ts";
import type { LeasePlace } from "../../leases/place.ts";
import { areDisjoint } from "../../net/interval.ts";
import { type IpAddress, sameIp } from "../../net/ip.ts";
import type { Parsed } from "../../schema/keys.ts";
import { parse } from "../../schema/parse.ts";
import { ALLOCATION_KEYS, CAPABILITY_KEYS, PLACE_KEYS, type RANGE_KEYS } from "./keys.ts";
import { parseRangeSet, type RangeSet } from "./range.ts";

/** What ADD may allocate. */
export interface AllocationConfig {
  /** At least one, in the order of the result's addresses. */
  readonly sets: readonly RangeSet[];
  /** Addresses that the caller wants, without repetition. */
  readonly requested: readonly IpAddress[];
  readonly routes: readonly Route[];
  /** Path of a file in the form of resolv.conf(5). */
  readonly resolvConf: string | undefined;
  /** Whether STATUS fails when a set has no free address (rule A35). */
  readonly statusReportsExhaustion: boolean;
}

/** @throws KeyError, CniError code 7 */
export function parsePlace(config: NetworkConfig): LeasePlace {
  const { dataDir } = parse(PLACE_KEYS, ipamOf(config), "ipam");
  let end = dataDir.length;
  while (end > 1 && dataDir.charAt(end - 1) === "/") end--;
  return { dataDir: dataDir.slice(0, end), network: config.name };
}

/** @throws KeyError, CniError code 4 for CNI_ARGS, code 7 for keys that do not fit together */
export function parseAllocation(request: Request): AllocationConfig {
  const keys = readHostLocal(request);
  const { routes = [], resolvConf, statusReportsExhaustion, variableIps = [], runtimeIps = [] } = keys;
  // Rules H45 and A52: args.cni.ips replaces IP of CNI_ARGS, which must be valid all the same; runtimeConfig.ips is added.
  const { argumentIps = variableIps } = keys;
  const requested: IpAddress[] = [];
  for (const address of [...argumentIps, ...runtimeIps])
    if (!requested.some((other) => sameIp(other, address))) requested.push(address);
  return { sets: parseSets(request.config, keys), requested, routes, resolvConf, statusReportsExhaustion };
}

type HostLocalKeys = Parsed<typeof ALLOCATION_KEYS>;

const readHostLocal = (request: Request): HostLocalKeys =>
  readKeys(ALLOCATION_KEYS, request, ipamOf(request.config), "ipam");

/**
 * Whether the configuration leaves all ranges to the runtime. libcni sends them with ADD, CHECK and DEL, but not with
 * STATUS.
 */
export function rangesComeWithAdd(request: Request): boolean {
  if (rangeSources(readHostLocal(request)).length > 0) return false;
  return readKeys(CAPABILITY_KEYS, request).rangesComeWithAdd;
}

/** The range sets in the order of rule H40. */
function rangeSources(keys: HostLocalKeys) {
  const { runtimeRanges = [], ranges = [], subnet } = keys;
  const sources: { readonly path: string; readonly ranges: Parsed<typeof RANGE_KEYS>[] }[] = [];
  for (const set of runtimeRanges)
    sources.push({ path: `runtimeConfig.ipRanges[${sources.length}]`, ranges: set });
  if (subnet !== undefined) sources.push({ path: "ipam", ranges: [{ ...keys, subnet }] });
  const before = sources.length;
  for (const set of ranges) sources.push({ path: `ipam.ranges[${sources.length - before}]`, ranges: set });
  return sources;
}

/** The index of a set is also the number of its hint file (rule H51). */
function parseSets(config: NetworkConfig, keys: HostLocalKeys): RangeSet[] {
  const sources = rangeSources(keys);
  if (sources.length === 0) throw invalid('no IP ranges specified: set "ipam.ranges" or "ipam.subnet"');
  const sets: RangeSet[] = [];
  for (const { ranges, path } of sources) {
    try {
      sets.push(parseRangeSet(ranges, path));
    } catch (error) {
      throw toCniError(error).during(`invalid range set ${sets.length}`);
    }
  }
  refuseSeveralOfAFamily(
    config.cniVersion,
    sets.map(({ family }) => family),
    "range sets",
  );
  if (sets.length === 1 || areDisjoint(sets.flatMap(({ ranges }) => ranges))) return sets;
  for (const [index, set] of sets.entries()) {
    const later = sets.findIndex((other, at) => at > index && !areDisjoint([...set.ranges, ...other.ranges]));
    if (later < 0) continue;
    const places = `${sources[index]?.path} and ${sources[later]?.path}`;
    throw invalid(`range set ${index} overlaps with ${later}: ${places} share addresses`);
  }
  return sets;
}

const invalid = (message: string): CniError => new CniError(code.invalidConfig, message);
