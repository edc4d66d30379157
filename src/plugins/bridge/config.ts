/** The bridge plugin's own configuration keys (rules B1–B9), validated before anything is touched. */
import { parseCniArgs } from "../../cni/args.ts";
import { CniError, code } from "../../cni/error.ts";
import type { JsonObject } from "../../cni/json-object.ts";
import type { Request } from "../../cni/plugin.ts";
import { refuseItself } from "../../cni/plugin-name.ts";
import type { Dns } from "../../cni/result.ts";
import { linkNameProblem } from "../../links/link-name.ts";
import type { Trunk } from "../../links/vlan.ts";
import { isUnicastMac, type Mac, parseMac } from "../../net/mac.ts";
import { parseTrunk } from "./trunk.ts";

export interface BridgeConfig {
  readonly bridge: string;
  /** Bytes; undefined leaves it to the kernel. */
  readonly mtu: number | undefined;
  readonly isGateway: boolean;
  readonly isDefaultGateway: boolean;
  readonly forceAddress: boolean;
  readonly ipMasq: boolean;
  readonly ipMasqBackend: "iptables" | "nftables" | undefined;
  readonly hairpinMode: boolean;
  readonly promiscMode: boolean;
  /** 0 is none. */
  readonly vlan: number;
  /** VLANs carried with their tag; undefined when the key is absent. */
  readonly trunk: Trunk | undefined;
  readonly preserveDefaultVlan: boolean;
  readonly macspoofchk: boolean;
  readonly enabledad: boolean;
  readonly disableContainerInterface: boolean;
  readonly portIsolation: boolean;
  /** Wanted hardware address of the container's interface. */
  readonly mac: Mac | undefined;
  /** ipam.type; undefined for a network without addresses (layer 2). */
  readonly ipam: string | undefined;
  /** Replaces the IPAM's when any field is set (rule B32). */
  readonly dns: Dns | undefined;
}

const invalid = (message: string): CniError => new CniError(code.invalidConfig, message);

/** @throws CniError code 6 for a wrong JSON type, 7 for a value that can't be. */
export function parseBridgeConfig(request: Request): BridgeConfig {
  const json = request.config.json;
  const isDefaultGateway = json.boolean("isDefaultGateway") ?? false;
  const config: BridgeConfig = {
    bridge: bridgeName(json),
    mtu: mtu(json),
    isGateway: (json.boolean("isGateway") ?? false) || isDefaultGateway,
    isDefaultGateway,
    forceAddress: json.boolean("forceAddress") ?? false,
    ipMasq: json.boolean("ipMasq") ?? false,
    ipMasqBackend: masqueradeBackend(json),
    hairpinMode: json.boolean("hairpinMode") ?? false,
    promiscMode: json.boolean("promiscMode") ?? false,
    vlan: vlan(json),
    trunk: parseTrunk(json),
    preserveDefaultVlan: json.boolean("preserveDefaultVlan") ?? false,
    macspoofchk: json.boolean("macspoofchk") ?? false,
    enabledad: json.boolean("enabledad") ?? false,
    disableContainerInterface: json.boolean("disableContainerInterface") ?? false,
    portIsolation: json.boolean("portIsolation") ?? false,
    mac: hardwareAddress(json, request.args),
    ipam: ipamType(json),
    dns: dns(json),
  };
  if (config.ipam !== undefined) refuseItself(request.delegation.calledAs, config.ipam);
  if (config.hairpinMode && config.promiscMode) {
    throw invalid(
      "cannot set hairpin mode and promiscuous mode at the same time: remove hairpinMode or promiscMode",
    );
  }
  if (config.ipam !== undefined && config.disableContainerInterface) {
    throw invalid(
      "cannot use IPAM when DisableContainerInterface flag is set: remove ipam or disableContainerInterface",
    );
  }
  if (config.isGateway && config.ipam !== undefined && config.vlan !== 0) {
    const gateway = `${config.bridge}.${config.vlan}`;
    const problem = linkNameProblem(gateway);
    if (problem !== undefined) {
      throw invalid(
        `the VLAN's gateway interface would be called ${JSON.stringify(gateway)}: ${problem}; shorten the bridge's name`,
      );
    }
  }
  return config;
}

/** ipam.type alone: all that DEL, GC and STATUS need of the address management. */
export function ipamType(json: JsonObject): string | undefined {
  const type = json.object("ipam")?.string("type");
  if (type !== undefined) refuseItself("bridge", type);
  return type === "" ? undefined : type;
}

/** The bridge's name by rule B1, valid as an interface name. */
export function bridgeName(json: JsonObject): string {
  const name = json.string("bridge") || "cni0";
  const problem = linkNameProblem(name);
  if (problem === undefined) return name;
  throw invalid(`bridge ${JSON.stringify(name)} is not a valid interface name: ${problem}`);
}

function mtu(json: JsonObject): number | undefined {
  const value = json.integer("mtu") ?? 0;
  if (value === 0) return undefined;
  if (value >= 68 && value <= 65535) return value;
  throw invalid(`invalid mtu ${value} (must be between 68 and 65535, or 0 for the kernel's default)`);
}

function masqueradeBackend(json: JsonObject): "iptables" | "nftables" | undefined {
  const backend = json.string("ipMasqBackend");
  if (backend === undefined || backend === "") return undefined;
  if (backend === "iptables" || backend === "nftables") return backend;
  throw invalid(
    `unknown ipmasq backend ${JSON.stringify(backend)}: ipMasqBackend is "iptables" or "nftables"`,
  );
}

function vlan(json: JsonObject): number {
  const value = json.integer("vlan") ?? 0;
  if (value >= 0 && value <= 4094) return value;
  throw invalid(`invalid VLAN ID ${value} (must be between 0 and 4094)`);
}

/** runtimeConfig.mac beats args.cni.mac beats CNI_ARGS MAC (rule B7). */
function hardwareAddress(json: JsonObject, args: string): Mac | undefined {
  const fromArgs = args === "" ? undefined : parseCniArgs(args, ["IP", "MAC"]).MAC;
  const text =
    json.object("runtimeConfig")?.string("mac") ||
    json.object("args")?.object("cni")?.string("mac") ||
    fromArgs;
  if (text === undefined || text === "") return undefined;
  const mac = parseMac(text);
  if (mac !== undefined && isUnicastMac(mac)) return mac;
  throw invalid(
    `invalid MAC address ${JSON.stringify(text)}: six hex pairs are wanted, as in "02:00:5e:10:00:01", and no group address`,
  );
}

function dns(json: JsonObject): Dns | undefined {
  const object = json.object("dns");
  if (object === undefined) return undefined;
  const [nameservers, search, options] = [
    object.strings("nameservers"),
    object.strings("search"),
    object.strings("options"),
  ];
  const domain = object.string("domain") || undefined;
  const fields = {
    ...(nameservers !== undefined && { nameservers }),
    ...(domain !== undefined && { domain }),
    ...(search !== undefined && { search }),
    ...(options !== undefined && { options }),
  };
  return Object.keys(fields).length === 0 ? undefined : fields;
}
