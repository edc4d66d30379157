/** Reads the firewall plugin's keys and the previous result (rules F2 to F5, F38, F40). */
import { CniError, code } from "../../cni/error.ts";
import { readKeys } from "../../cni/keys.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { findLink, portsOf } from "../../links/link.ts";
import { connect } from "../../links/namespaces.ts";
import type { Prefix } from "../../net/prefix.ts";
import {
  CNI_FORWARD,
  FORWARD,
  type Ingress,
  STAGE_1,
  STAGE_2,
  type Wanted,
} from "../../netfilter/firewall/layout.ts";
import { KeyError } from "../../schema/key-error.ts";
import type { Parsed } from "../../schema/keys.ts";
import { KEYS, NAME_KEYS } from "./keys.ts";

/** The values of the keys. */
export type FirewallConfig = Readonly<Parsed<typeof KEYS>>;

/** @throws KeyError, CniError code 7 */
export function parseFirewallConfig(request: Request): FirewallConfig {
  try {
    const config = readKeys(KEYS, request);
    requireChainName(config.iptablesAdminChainName);
    return config;
  } catch (error) {
    if (!(error instanceof KeyError) || error.path !== "ingressPolicy" || !error.isOfValue) throw error;
    const { path, expected, value, message } = error;
    throw new KeyError(path, expected, value, `unknown ingress policy: ${JSON.stringify(value)}; ${message}`);
  }
}

/** The keys that a removal needs: a wrong value of the others does not stop it. */
export const parseNames = (request: Request): Readonly<Parsed<typeof NAME_KEYS>> =>
  readKeys(NAME_KEYS, request);

/** XT_EXTENSION_MAXNAMELEN of uapi linux/netfilter/x_tables.h less the NUL. */
const MAX_CHAIN_NAME = 28;
/** Names that mean something else to iptables or in the layout. */
const OTHER_NAMES = [
  "ACCEPT",
  "DROP",
  "QUEUE",
  "RETURN",
  "INPUT",
  "OUTPUT",
  FORWARD,
  CNI_FORWARD,
  STAGE_1,
  STAGE_2,
];

function requireChainName(name: string): void {
  const bytes = new TextEncoder().encode(name).length;
  let problem: string | undefined;
  if (bytes > MAX_CHAIN_NAME)
    problem = `chain name too long: it has ${bytes} bytes, at most ${MAX_CHAIN_NAME} are allowed`;
  else if (!/^[A-Za-z0-9_.][\w.+:@-]*$/.test(name))
    problem =
      'it must begin with a letter, a digit, "_" or ".", and may go on with these and "-", "+", ":" and "@"';
  else if (OTHER_NAMES.includes(name)) problem = "this name has another meaning";
  if (problem === undefined) return;
  throw new CniError(
    code.invalidConfig,
    `invalid iptablesAdminChainName ${JSON.stringify(name)}: ${problem}`,
  );
}

/** The previous result, which ADD and CHECK need (F5). @throws CniError code 7 */
export function requirePrevious({ config }: Request): Result {
  if (config.prevResult !== undefined) return config.prevResult;
  throw new CniError(
    code.invalidConfig,
    "missing prevResult from earlier plugin: list firewall in the network's plugins after the one that makes the interface",
  );
}

/** F40: the addresses of the attachment's interface, and those that name no interface of the result. */
export const addressesFor = ({ ifname }: Request, { interfaces, ips }: Result): Prefix[] =>
  ips.flatMap(({ address, interface: index }) => {
    const owner = index === undefined ? undefined : interfaces[index];
    return owner === undefined || owner.name === ifname ? address : [];
  });

/** What ADD makes and CHECK looks for. @throws CniError code 7 (F38) */
export function wantedFor(request: Request, config: FirewallConfig, result: Result): Wanted {
  const { network, containerId, ifname } = request;
  const { ingressPolicy: policy, iptablesAdminChainName: adminChain, acceptPublished } = config;
  return {
    attachment: { network, containerId, ifname },
    addresses: addressesFor(request, result),
    adminChain,
    acceptPublished,
    ingress: policy === "open" ? openIngress(result) : restrictedIngress(policy, result),
  };
}

/** With the policy "open" the bridge matters only if it had another policy before. */
export function openIngress({ interfaces: [first] }: Result): Ingress | undefined {
  return first === undefined || first.sandbox ? undefined : { policy: "open", bridge: first.name };
}

function restrictedIngress(policy: Ingress["policy"], { interfaces }: Result): Ingress {
  const [first] = interfaces;
  const invalid = (message: string): CniError => new CniError(code.invalidConfig, message);
  if (first === undefined) {
    throw invalid(
      `interface needs to be set for ingress policy ${JSON.stringify(policy)}, make sure to chain "firewall" plugin with ` +
        '"bridge": the previous result has no interfaces',
    );
  }
  const { name: bridge } = first;
  using host = connect();
  const link = first.sandbox ? undefined : findLink(host, bridge);
  if (link?.kind !== "bridge") {
    const state = first.sandbox
      ? "is in a container"
      : link === undefined
        ? "does not exist on the host"
        : `is a ${link.kind ?? "device"}`;
    throw invalid(
      `ingressPolicy needs a bridge: interfaces[0] ${JSON.stringify(bridge)} ${state}; put firewall after the plugin bridge, or set "ingressPolicy": "open"`,
    );
  }
  if (policy !== "isolated") return { policy, bridge };
  const names = new Set(interfaces.filter(({ sandbox }) => !sandbox).map(({ name }) => name));
  const port = portsOf(host, link).find(({ name }) => names.has(name));
  return { policy, bridge, isolatedPort: port?.name };
}
