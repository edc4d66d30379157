/** Reads a result of any version into the current form: prevResult, or what a delegate printed (rules A21, A48). */
import { type Family, type IpAddress, parseIp } from "../net/ip.ts";
import { type Prefix, parsePrefix } from "../net/prefix.ts";
import { JsonObject, wrongType } from "./json-object.ts";
import type { Dns, Interface, IpConfig, Result, Route } from "./result.ts";
import { present, reduceTo } from "./result-version.ts";
import { atLeast, CURRENT_VERSION, findVersion, SUPPORTED_VERSIONS, type Version } from "./version.ts";

/**
 * The result in `json`, which has the version that it says or else `fallbackVersion`. Fields that are later than that
 * version are read all the same: the reference's plugins write them.
 * @throws CniError code 6, naming the key's path.
 */
export function parseResult(json: JsonObject, fallbackVersion: Version): Result {
  const version = versionOf(json, fallbackVersion);
  const result = atLeast(version, "0.3.0") ? parse030(json) : parse010(json);
  return reduceTo(CURRENT_VERSION, result);
}

function versionOf(json: JsonObject, fallback: Version): Version {
  const text = json.string("cniVersion") || fallback;
  const version = findVersion(text);
  if (version !== undefined) return version;
  throw wrongType(json.at("cniVersion"), `one of ${SUPPORTED_VERSIONS.join(", ")}`, text);
}

/** 0.3.0 and later: lists. The "version" of an address, up to 0.4.0, only repeats what the address shows. */
const parse030 = (json: JsonObject): Result => ({
  interfaces: json.array("interfaces", parseInterface) ?? [],
  ips: json.array("ips", (value, path) => parseIpConfig(JsonObject.from(value, path))) ?? [],
  routes: json.array("routes", parseRoute) ?? [],
  dns: parseDns(json),
});

/** 0.1.0 and 0.2.0: one address a family, with its routes. */
function parse010(json: JsonObject): Result {
  const result: Result = { interfaces: [], ips: [], routes: [], dns: parseDns(json) };
  for (const family of [4, 6] as const) {
    const config = json.object(`ip${family}`);
    if (config === undefined) continue;
    result.ips.push(
      present<IpConfig>({
        address: prefix(config, "ip", family),
        gateway: address(config, "gateway"),
      }),
    );
    result.routes.push(...(config.array("routes", parseRoute) ?? []));
  }
  return result;
}

function parseInterface(value: unknown, path: string): Interface {
  const json = JsonObject.from(value, path);
  const name = json.string("name");
  if (!name) throw wrongType(json.at("name"), "the interface's name", name);
  return present<Interface>({
    name,
    mac: json.string("mac"),
    mtu: json.integer("mtu"),
    sandbox: json.string("sandbox"),
    socketPath: json.string("socketPath"),
    pciID: json.string("pciID"),
  });
}

const parseIpConfig = (json: JsonObject): IpConfig =>
  present<IpConfig>({
    interface: json.integer("interface"),
    address: prefix(json, "address"),
    gateway: address(json, "gateway"),
  });

/** A route of a result, or of a configuration in the same form. @throws CniError code 6 */
export function parseRoute(value: unknown, path: string): Route {
  const json = JsonObject.from(value, path);
  return present<Route>({
    dst: prefix(json, "dst"),
    gw: address(json, "gw"),
    mtu: json.integer("mtu"),
    advmss: json.integer("advmss"),
    priority: json.integer("priority"),
    table: json.integer("table"),
    scope: json.integer("scope"),
  });
}

function parseDns(json: JsonObject): Dns {
  const dns = json.object("dns");
  if (dns === undefined) return {};
  return present<Dns>({
    nameservers: dns.strings("nameservers"),
    domain: dns.string("domain"),
    search: dns.strings("search"),
    options: dns.strings("options"),
  });
}

/** A required address with its length, of any family or of one. */
function prefix(json: JsonObject, key: string, family?: Family): Prefix {
  const text = json.string(key);
  const value = text === undefined ? undefined : parsePrefix(text);
  if (value !== undefined && (family ?? value.address.family) === value.address.family) return value;
  throw wrongType(
    json.at(key),
    `an IP${family === undefined ? "" : `v${family}`} address with its prefix length`,
    text,
  );
}

/** An address, undefined when absent or empty. */
function address(json: JsonObject, key: string): IpAddress | undefined {
  const text = json.string(key) || undefined;
  const value = text === undefined ? undefined : parseIp(text);
  if (text === undefined || value !== undefined) return value;
  throw wrongType(json.at(key), "an IP address", text);
}
