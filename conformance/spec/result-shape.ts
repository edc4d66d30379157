/** The form of an ADD's result in each version (rules A21, A22, A25). */
import type { Json, JsonRecord, PluginName } from "../engine/network.ts";

interface Expectation {
  readonly version: string;
  readonly plugin: PluginName;
  readonly netns: string;
  readonly ifname: string;
  /** Then there is more than the plugin's own. */
  readonly hasPrevious: boolean;
}

type Check = (value: Json) => boolean;

/** Keys with their checks; those with "?" may be left out. */
type Shape = Readonly<Record<string, Check>>;

const isText: Check = (value) => typeof value === "string" && value !== "";
const isNumber: Check = (value) => Number.isInteger(value);
const isAddress: Check = (value) => typeof value === "string" && /^[0-9a-f.:]+$/.test(value);
const isPrefix: Check = (value) => typeof value === "string" && /^[0-9a-f.:]+\/\d+$/.test(value);
const isMac: Check = (value) => typeof value === "string" && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(value);
const isObject = (value: Json | undefined): value is JsonRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const DNS: Shape = {
  "nameservers?": (value) => Array.isArray(value) && value.length > 0,
  "domain?": isText,
  "search?": (value) => Array.isArray(value) && value.length > 0,
  "options?": (value) => Array.isArray(value) && value.length > 0,
};

/** Problems of the result, each with its rule in front. */
export function resultProblems(result: JsonRecord, expectation: Expectation): string[] {
  const { version } = expectation;
  if (result.cniVersion !== version)
    return [`A21: cniVersion ${JSON.stringify(result.cniVersion)} instead of ${version}`];
  const problems = version < "0.3.0" ? oldProblems(result) : newProblems(result, expectation);
  return [...problems, ...emptyLists(result, "")];
}

/** 0.1.0 and 0.2.0. */
function oldProblems(result: JsonRecord): string[] {
  const family: Check = (value) =>
    isObject(value) &&
    shapeProblems(value, "", {
      ip: isPrefix,
      "gateway?": isAddress,
      "routes?": (routes) => Array.isArray(routes) && routes.every((route) => isRoute(route, "0.1.0")),
    }).length === 0;
  const shape = { cniVersion: isText, "ip4?": family, "ip6?": family, dns: isDns };
  const none = result.ip4 === undefined && result.ip6 === undefined ? ["A21: no address"] : [];
  return [...shapeProblems(result, "", shape), ...none];
}

const isDns: Check = (value) => isObject(value) && shapeProblems(value, "", DNS).length === 0;

const isRoute = (value: Json, version: string): boolean =>
  isObject(value) &&
  shapeProblems(value, "", {
    dst: isPrefix,
    "gw?": isAddress,
    // The specification has them since 1.1.0, libcni since 0.3.0.
    ...(version >= "0.3.0" && {
      "mtu?": isNumber,
      "advmss?": isNumber,
      "priority?": isNumber,
      "table?": isNumber,
      "scope?": isNumber,
    }),
  }).length === 0;

/** 0.3.0 and later. */
function newProblems(
  result: JsonRecord,
  { version, plugin, netns, ifname, hasPrevious }: Expectation,
): string[] {
  const ofInterface: Shape = {
    name: isText,
    // An interface of a plugin before may have none.
    [hasPrevious ? "mac?" : "mac"]: isMac,
    "sandbox?": isText,
    ...(version >= "1.1.0" && { "mtu?": isNumber, "socketPath?": isText, "pciID?": isText }),
  };
  const isIpam = plugin === "host-local";
  const ofIp: Shape = {
    ...(version < "1.0.0" && { version: (value: Json) => value === "4" || value === "6" }),
    ...(isIpam ? {} : { interface: isNumber }),
    address: isPrefix,
    "gateway?": isAddress,
  };
  const isEmptyDns = isObject(result.dns) && Object.keys(result.dns).length === 0;
  const interfaces = listOf(result.interfaces);
  const problems = [
    ...shapeProblems(result, "", {
      cniVersion: isText,
      ...(isIpam ? {} : { interfaces: Array.isArray }),
      "ips?": Array.isArray,
      "routes?": (routes) => Array.isArray(routes) && routes.every((route) => isRoute(route, version)),
      ...(version < "1.0.0" ? { dns: isDns } : { "dns?": (value: Json) => isDns(value) && !isEmptyDns }),
    }),
    ...interfaces.flatMap((each, index) => shapeProblems(each, `interfaces[${index}].`, ofInterface)),
    ...listOf(result.ips).flatMap((each, index) => shapeProblems(each, `ips[${index}].`, ofIp)),
  ];
  if (isIpam || hasPrevious) return problems;
  const name = plugin === "loopback" ? "lo" : ifname;
  const own = interfaces.findIndex((each) => each.name === name && each.sandbox === netns);
  if (own < 0) problems.push(`A22: no interface ${name} with sandbox ${netns}`);
  for (const [index, each] of interfaces.entries())
    if (index !== own && each.sandbox !== undefined) problems.push(`A22: interfaces[${index}] has a sandbox`);
  for (const ip of listOf(result.ips))
    if (ip.interface !== own) problems.push(`A21: address of interface ${ip.interface} instead of ${own}`);
  return problems;
}

const listOf = (value: Json | undefined): JsonRecord[] =>
  Array.isArray(value) ? value.filter((item) => isObject(item)) : [];

/** Keys that are missing, wrong, or not of this form. */
function shapeProblems(object: JsonRecord, path: string, shape: Shape): string[] {
  const known = new Map(Object.entries(shape).map(([key, check]) => [key.replace("?", ""), { key, check }]));
  const missing = [...known].flatMap(([name, { key }]) =>
    !key.endsWith("?") && object[name] === undefined ? [`A21: ${path}${name} is missing`] : [],
  );
  const wrong = Object.entries(object).flatMap(([name, value]) => {
    const entry = known.get(name);
    if (entry === undefined) return [`A21: ${path}${name} is no key of this version`];
    return entry.check(value) ? [] : [`A21: ${path}${name} is ${JSON.stringify(value)}`];
  });
  return [...missing, ...wrong];
}

/** Rule A22: empty arrays are left out. */
function emptyLists(value: Json, path: string): string[] {
  if (Array.isArray(value)) {
    const own = value.length === 0 ? [`A22: ${path} is empty`] : [];
    return [...own, ...value.flatMap((item, index) => emptyLists(item, `${path}[${index}]`))];
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    emptyLists(item, path === "" ? key : `${path}.${key}`),
  );
}
