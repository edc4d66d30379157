/** Reads the portmap plugin's keys, and refuses what cannot work before anything is touched (rules M3 to M8, M46, M58). */
import { CniError, code } from "../../cni/error.ts";
import { readKeys } from "../../cni/keys.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { type Family, parseIp } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Backend } from "../../netfilter/iptables/host.ts";
import { describeMapping, type Mapping, type Published } from "../../netfilter/portmap/published.ts";
import { PROTOCOLS, type Protocol } from "../../netfilter/rule.ts";
import type { Parsed } from "../../schema/keys.ts";
import { get } from "../../schema/parse.ts";
import { KEYS, type MAPPING_KEYS } from "./keys.ts";

/** The keys of the configuration, without the container's addresses. */
export interface PortmapConfig {
  readonly mappings: readonly Mapping[];
  readonly backend: Backend | undefined;
  /** What of `Published` is configured. */
  readonly published: Omit<Published, "addresses" | "record" | "network" | "containerId" | "ifname">;
}

const invalid = (message: string): CniError => new CniError(code.invalidConfig, message);

/** M3: the bit of the packet mark without the key `markMasqBit`. Kubernetes uses 14 and 15. */
const DEFAULT_BIT = 13;

/** @throws KeyError, CniError code 4 or 7 */
export function parsePortmapConfig(request: Request): PortmapConfig {
  const keys = readKeys(KEYS, request);
  const { snat, masqAll, externalSetMarkChain, conditionsV4, conditionsV6 } = keys;
  if (keys.markMasqBit !== undefined && externalSetMarkChain !== undefined)
    throw invalid("Cannot specify externalSetMarkChain and markMasqBit: remove one of them");
  const markBit = keys.markMasqBit ?? DEFAULT_BIT;
  if (markBit < 0 || markBit > 31)
    throw invalid(`MasqMarkBit must be between 0 and 31: markMasqBit is ${markBit}`);
  const conditions = { 4: wordsOf(4, conditionsV4), 6: wordsOf(6, conditionsV6) };
  const backend = backendOf(keys, get(request.config.json, "backend"), conditions);
  const mappings = (keys.portMappings ?? []).map(mappingOf);
  refuseTwice(mappings);
  return {
    mappings,
    backend,
    published: { mappings, snat, masqAll, markBit, externalSetMarkChain, conditions },
  };
}

/** M58: no words at all are no condition; an empty first word is a mistake. */
function wordsOf(family: Family, words: readonly string[] | undefined): readonly string[] | undefined {
  if (words === undefined || words.length === 0) return undefined;
  const bad = words.findIndex((word) => word === "" || (/[\n\0;{}]/.test(word) && !/^[{}]$/.test(word)));
  if (bad < 0) return words;
  throw invalid(
    `conditionsV${family}[${bad}] is ${JSON.stringify(words[bad])}: it must be a word of iptables or nft; remove it`,
  );
}

/** M4: which backend reads these words. */
const ownerOf = (words: readonly string[]): Backend =>
  /^[-!]/.test(words[0] ?? "") ? "iptables" : "nftables";

/** The configured backend; conditions and a chain of iptables decide too. */
function backendOf(
  { backend, externalSetMarkChain }: Parsed<typeof KEYS>,
  written: unknown,
  conditions: PortmapConfig["published"]["conditions"],
): Backend | undefined {
  if (written !== undefined && backend !== "iptables" && backend !== "nftables")
    throw invalid(`unrecognized backend ${JSON.stringify(written)}: it must be "iptables" or "nftables"`);
  const specific: (readonly [key: string, backend: Backend])[] = [];
  if (externalSetMarkChain !== undefined) specific.push(["externalSetMarkChain", "iptables"]);
  for (const family of [4, 6] as const) {
    const words = conditions[family];
    if (words !== undefined) specific.push([`conditionsV${family}`, ownerOf(words)]);
  }
  const chosen = (backend as Backend | undefined) ?? specific[0]?.[1];
  const wrong = specific.filter(([, own]) => own !== chosen).map(([key]) => key);
  const [first] = wrong;
  if (first === undefined) return chosen;
  const other = chosen === "iptables" ? "nftables" : "iptables";
  throw invalid(
    `${chosen} backend was requested but configuration contains ${other}-specific options [${wrong.join(" ")}]: remove them, or set "backend": "${other}"`,
  );
}

function mappingOf(
  { hostPort, containerPort, protocol, hostIP }: Parsed<typeof MAPPING_KEYS>,
  index: number,
): Mapping {
  const at = `portMappings[${index}]`;
  const port = (name: string, words: string, value = 0): number => {
    if (value >= 1 && value <= 65535) return value;
    throw invalid(`Invalid ${words} port number: ${at}.${name} ${value} is not 1–65535`);
  };
  const name = protocol.toLowerCase();
  if (!Object.hasOwn(PROTOCOLS, name))
    throw invalid(`${at}.protocol ${JSON.stringify(protocol)} is not tcp, udp or sctp`);
  const hostIp = hostIP === undefined ? undefined : parseIp(hostIP);
  if (hostIP !== undefined && hostIp === undefined)
    throw invalid(`${at}.hostIP ${JSON.stringify(hostIP)} is not an IP address`);
  return {
    protocol: name as Protocol,
    hostPort: port("hostPort", "host", hostPort),
    containerPort: port("containerPort", "container", containerPort),
    hostIp,
  };
}

/** M47: two mappings of the same port cannot both work. */
function refuseTwice(mappings: readonly Mapping[]): void {
  const seen = new Map<string, number>();
  for (const [index, mapping] of mappings.entries()) {
    const name = `${describeMapping(mapping)} ${mapping.hostIp?.family ?? ""}`;
    const first = seen.get(name);
    if (first !== undefined)
      throw invalid(
        `portMappings[${index}] publishes host port ${describeMapping(mapping)} again, which portMappings[${first}] publishes: remove one of them`,
      );
    seen.set(name, index);
  }
}

/** M7: the container's first address of each family. Addresses of interfaces on the host are not the container's. */
export function containerAddresses(
  { ips, interfaces }: Result,
  ifname: string,
): { readonly [F in Family]?: Prefix } {
  const addresses: { [F in Family]?: Prefix } = {};
  for (const { address, interface: index } of ips) {
    const { name, sandbox } = interfaces[index ?? -1] ?? { name: ifname, sandbox: "unknown" };
    if (name === ifname && sandbox) addresses[address.address.family] ??= address;
  }
  return addresses;
}
