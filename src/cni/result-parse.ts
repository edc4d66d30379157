/** Reads prevResult or a delegate's result, of any version, into the current form (rules A21, A48). */
import { formatPrefix } from "../net/prefix.ts";
import { KeyError, wrongType } from "../schema/key-error.ts";
import type { Keys, Parsed } from "../schema/keys.ts";
import { parse } from "../schema/parse.ts";
import { DNS_KEYS, ROUTE_KEYS } from "./keys.ts";
import type { Result } from "./result.ts";
import { reduceTo } from "./result-version.ts";
import { atLeast, CURRENT_VERSION, findVersion, SUPPORTED_VERSIONS, type Version } from "./version.ts";

const INTERFACE_KEYS = [
  ["name", "text!", null, ""],
  ["mac", "text", null, ""],
  ["mtu", "integer", null, ""],
  ["sandbox", "text", null, ""],
  ["socketPath", "text", null, ""],
  ["pciID", "text", null, ""],
] as const satisfies Keys;

const IP_KEYS = [
  ["interface", "integer", null, ""],
  ["address", "prefix!", null, ""],
  ["gateway", "address", null, ""],
] as const satisfies Keys;

const VERSION_KEYS = [["cniVersion", "text", null, ""]] as const satisfies Keys;

/** 0.3.0 and later: lists. Up to 0.4.0 an address has a "version", which only repeats its family. */
const KEYS_030 = [
  ["dns", "object", null, "", DNS_KEYS],
  ["interfaces", "object[]", null, "", INTERFACE_KEYS],
  ["ips", "object[]", null, "", IP_KEYS],
  ["routes", "object[]", null, "", ROUTE_KEYS],
] as const satisfies Keys;

const FAMILY_KEYS = [
  ["ip", "prefix!", null, ""],
  ["gateway", "address", null, ""],
  ["routes", "object[]", null, "", ROUTE_KEYS],
] as const satisfies Keys;

/** 0.1.0 and 0.2.0: one address per family, with its routes. */
const KEYS_010 = [
  ["dns", "object", null, "", DNS_KEYS],
  ["ip4", "object", null, "", FAMILY_KEYS],
  ["ip6", "object", null, "", FAMILY_KEYS],
] as const satisfies Keys;

/**
 * The result in `json`, whose place in the document is `path`. Its version is that of its `cniVersion`, else `fallback`.
 * Fields of later versions are read as well, since the reference's plugins write them.
 * @throws KeyError for what cannot be decoded
 */
export function parseResult(json: unknown, path: string, fallback: Version): Result {
  try {
    const text = parse(VERSION_KEYS, json, path).cniVersion || fallback;
    const version = findVersion(text);
    if (version === undefined)
      throw wrongType(`${path}.cniVersion`, `one of ${SUPPORTED_VERSIONS.join(", ")}`, text);
    if (!atLeast(version, "0.3.0")) return reduceTo(CURRENT_VERSION, parse010(json, path));
    const { interfaces = [], ips = [], routes = [], dns = {} } = parse(KEYS_030, json, path);
    return reduceTo(CURRENT_VERSION, { interfaces, ips, routes, dns });
  } catch (error) {
    // A program wrote this document, so an invalid value is a decoding error (code 6), not a configuration error.
    throw error instanceof KeyError ? wrongType(error.path, error.expected, error.value) : error;
  }
}

function parse010(json: unknown, path: string): Result {
  const { dns = {}, ip4, ip6 } = parse(KEYS_010, json, path);
  const result: Result = { interfaces: [], ips: [], routes: [], dns };
  addFamily(result, ip4, 4, path);
  addFamily(result, ip6, 6, path);
  return result;
}

function addFamily(
  result: Result,
  config: Parsed<typeof FAMILY_KEYS> | undefined,
  family: 4 | 6,
  path: string,
): void {
  if (config === undefined) return;
  const { ip: address, routes = [], ...gateway } = config;
  if (address.address.family !== family) {
    const expected = `an IPv${family} address with its prefix length`;
    throw wrongType(`${path}.ip${family}.ip`, expected, formatPrefix(address));
  }
  result.ips.push({ address, ...gateway });
  for (const route of routes) result.routes.push(route);
}
