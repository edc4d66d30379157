/** The `ipam` section and the addresses asked for (rules H40–H45, A51, A52). */
import { parseCniArgs } from "../../cni/args.ts";
import type { NetworkConfig } from "../../cni/config.ts";
import { CniError, code } from "../../cni/error.ts";
import { arrayOf, JsonObject, wrongType } from "../../cni/json-object.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Route } from "../../cni/result.ts";
import { atLeast } from "../../cni/version.ts";
import type { LeasePlace } from "../../leases/place.ts";
import { areDisjoint } from "../../net/interval.ts";
import { type IpAddress, parseIp, sameIp } from "../../net/ip.ts";
import { parsePrefix } from "../../net/prefix.ts";
import { parseRangeSet, type RangeSet } from "./range.ts";

/** The reference's place for leases (rule H50). */
const DEFAULT_DATA_DIR = "/var/lib/cni/networks";

/** Everything that ADD allocates by. */
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

/** @throws CniError code 6 or 7. */
export function parsePlace(config: NetworkConfig): LeasePlace {
  const dataDir = ipamOf(config).string("dataDir") || DEFAULT_DATA_DIR;
  if (dataDir.includes("\0"))
    throw invalid(`ipam.dataDir: ${JSON.stringify(dataDir)} is not a path: it contains a NUL byte`);
  let end = dataDir.length;
  while (end > 1 && dataDir.charAt(end - 1) === "/") end--;
  return { dataDir: dataDir.slice(0, end), network: config.name };
}

/** @throws CniError code 4 for CNI_ARGS, 6 or 7 for the configuration. */
export function parseAllocation(request: Request): AllocationConfig {
  const { config } = request;
  const ipam = ipamOf(config);
  const requested = parseRequested(request);
  const sets = parseSets(config, ipam);
  const resolvConf = ipam.string("resolvConf") || undefined;
  const routes = ipam.array("routes", parseRoute) ?? [];
  const statusReportsExhaustion = ipam.boolean("statusReportsExhaustion") ?? false;
  return { sets, requested, routes, resolvConf, statusReportsExhaustion };
}

function ipamOf(config: NetworkConfig): JsonObject {
  const ipam = config.json.object("ipam");
  if (ipam === undefined) throw invalid("IPAM config missing 'ipam' key");
  return ipam;
}

/**
 * Whether the configuration leaves all ranges to the runtime. libcni sends those with ADD, CHECK and DEL, and never with
 * STATUS.
 */
export const rangesComeWithAdd = (config: NetworkConfig): boolean =>
  rangeSources(config, ipamOf(config)).length === 0 &&
  config.json.object("capabilities")?.boolean("ipRanges") === true;

/** In rule H40's order. */
function rangeSources(config: NetworkConfig, ipam: JsonObject) {
  const legacy = ipam.string("subnet") === undefined ? [] : [{ path: "ipam", ranges: [ipam] }];
  const fromRuntime = rangeSets(config.json.object("runtimeConfig"), "ipRanges");
  return [...fromRuntime, ...legacy, ...rangeSets(ipam, "ranges")];
}

/** The index of a set is also that of its hint on disk (rule H51). */
function parseSets(config: NetworkConfig, ipam: JsonObject): RangeSet[] {
  const sources = rangeSources(config, ipam);
  if (sources.length === 0) throw invalid('no IP ranges specified: give "ipam.ranges" or "ipam.subnet"');
  const sets = sources.map(({ ranges, path }, index) => {
    try {
      return parseRangeSet(ranges, path);
    } catch (error) {
      throw error instanceof CniError && error.code === code.invalidConfig
        ? error.during(`invalid range set ${index}`)
        : error;
    }
  });
  refuseSeveralOfAFamily(config, sets);
  if (sets.length === 1 || areDisjoint(sets.flatMap(({ ranges }) => ranges))) return sets;
  for (const [index, set] of sets.entries()) {
    const later = sets.findIndex((other, at) => at > index && !areDisjoint([...set.ranges, ...other.ranges]));
    if (later < 0) continue;
    const places = `${sources[index]?.path} and ${sources[later]?.path}`;
    throw invalid(`range set ${index} overlaps with ${later}: ${places} share addresses`);
  }
  return sets;
}

/** Rule H44: the results of old versions have room for one address of each family. */
function refuseSeveralOfAFamily(config: NetworkConfig, sets: readonly RangeSet[]): void {
  if (atLeast(config.cniVersion, "0.3.0")) return;
  for (const family of [4, 6] as const) {
    const count = sets.filter((set) => set.family === family).length;
    if (count < 2) continue;
    const problem = `CNI version ${config.cniVersion} does not support more than 1 address per family`;
    throw new CniError(code.invalidConfig, problem, "", {
      remark: `${count} range sets are IPv${family}; use cniVersion 0.3.0 or later`,
    });
  }
}

const rangeSets = (json: JsonObject | undefined, key: string) =>
  json?.array(key, (value, path) => ({
    path,
    ranges: arrayOf(value, path, (range, at) => JsonObject.from(range, at)),
  })) ?? [];

/** Rule H45 with A52: args.cni.ips takes the place of CNI_ARGS IP; runtimeConfig.ips comes on top. */
function parseRequested({ config, args }: Request): IpAddress[] {
  // MAC is for the plugin that delegates to this one; the string reaches both (rule A51).
  const { IP } = parseCniArgs(args, ["IP", "MAC"]);
  const inArgs = config.json.object("args")?.object("cni")?.array("ips", requestedAddress) ?? [];
  const inEnvironment = IP === undefined || IP === "" ? [] : [requestedAddress(IP, "CNI_ARGS IP")];
  const inRuntime = config.json.object("runtimeConfig")?.array("ips", requestedAddress) ?? [];
  const all = [...(inArgs.length > 0 ? inArgs : inEnvironment), ...inRuntime];
  return all.filter((address, index) => all.findIndex((other) => sameIp(other, address)) === index);
}

/** An address whose prefix length, if it has one, says nothing. */
function requestedAddress(value: unknown, path: string): IpAddress {
  if (typeof value !== "string") throw wrongType(path, "a string", value);
  const address = value.includes("/") ? parsePrefix(value)?.address : parseIp(value);
  if (address !== undefined) return address;
  throw invalid(`cannot understand ip: ${path}: invalid IP address ${JSON.stringify(value)}`);
}

function parseRoute(value: unknown, path: string): Route {
  const json = JsonObject.from(value, path);
  const dst = json.string("dst");
  const prefix = dst === undefined ? undefined : parsePrefix(dst);
  if (prefix === undefined) throw invalid(`${json.at("dst")}: invalid CIDR address: ${dst ?? "missing"}`);
  const gw = json.string("gw");
  const gateway = gw === undefined || gw === "" ? undefined : parseIp(gw);
  if (gw && gateway === undefined) throw invalid(`${json.at("gw")}: invalid IP address: ${gw}`);
  const route: Route = { dst: prefix };
  if (gateway !== undefined) route.gw = gateway;
  for (const key of ["mtu", "advmss", "priority", "table", "scope"] as const) {
    const number = json.integer(key);
    if (number !== undefined) route[key] = number;
  }
  return route;
}

const invalid = (message: string): CniError => new CniError(code.invalidConfig, message);
