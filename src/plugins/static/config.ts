/** Collects the addresses of a network from the `ipam` section and from what the runtime adds (rules S2, S3, S5). */
import { ipamOf } from "../../cni/config.ts";
import { CniError, code } from "../../cni/error.ts";
import { readKeys } from "../../cni/keys.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Dns, IpConfig, Route } from "../../cni/result.ts";
import { refuseSeveralOfAFamily } from "../../cni/result-version.ts";
import { formatIp, type IpAddress, parseIp } from "../../net/ip.ts";
import { contains, parsePrefix } from "../../net/prefix.ts";
import { KEYS } from "./keys.ts";

/** An address, and the key that it comes from. */
export interface StaticIp extends IpConfig {
  /** As in "ipam.addresses[0].address". */
  readonly key: string;
}

/** What an attachment gets. */
export interface StaticConfig {
  readonly ips: readonly StaticIp[];
  readonly routes: readonly Route[];
  readonly dns: Dns;
}

/** The reference's messages, which its own suite compares word by word (rule K14). */
const IN_CONFIGURATION = "the 'address' field is expected to be in CIDR notation";
const IN_VARIABLE = "the 'ip' field is expected to be in CIDR notation";
const IN_LIST = "an entry in the 'ips' field is NOT in CIDR notation";

/** @throws KeyError, CniError code 4 for CNI_ARGS, code 7 for an address that is not one */
export function parseStatic(request: Request): StaticConfig {
  const keys = readKeys(KEYS, request, ipamOf(request.config), "ipam");
  const { addresses = [], argumentIps = [], runtimeIps = [], routes = [], dns = {} } = keys;
  const variable = itemsOf(keys.variableIps).map((text, index) =>
    ipAt(text, `CNI_ARGS IP[${index}]`, IN_VARIABLE),
  );
  const gateways = itemsOf(keys.variableGateways).map(gatewayAt);
  const argument = argumentIps.map((text, index) => ipAt(text, `args.cni.ips[${index}]`, IN_LIST));
  const runtime = runtimeIps.map((text, index) => ipAt(text, `runtimeConfig.ips[${index}]`, IN_LIST));
  const replacing = runtime.length > 0 ? runtime : argument;
  // Addresses that are replaced are not parsed. libcni does not send those of the runtime with STATUS.
  const isReplaced = replacing.length > 0 || (keys.ipsComeWithAdd && request.command === "STATUS");
  const ips = isReplaced ? replacing : [...addresses.map(configured), ...variable];
  if (!isReplaced) for (const gateway of gateways) giveGateway(gateway, ips, request.log);
  refuseSeveralOfAFamily(
    request.config.cniVersion,
    ips.map(({ address }) => address.address.family),
    "addresses",
  );
  return { ips, routes, dns };
}

/** The items of a list in a variable. */
const itemsOf = (text: string | undefined): string[] => text?.split(",").map((item) => item.trim()) ?? [];

function configured(
  { address, gateway }: { address?: string; gateway?: IpAddress },
  index: number,
): StaticIp {
  const ip = ipAt(address ?? "", `ipam.addresses[${index}].address`, IN_CONFIGURATION);
  return gateway === undefined ? ip : { ...ip, gateway };
}

function ipAt(text: string, key: string, problem: string): StaticIp {
  const address = parsePrefix(text);
  if (address !== undefined) return { address, key };
  throw new CniError(code.invalidConfig, `${problem}, got: '${text}'`, "", {
    remark: `${key} must be an IP address with its prefix length, as in "10.1.2.3/24" or "fd00::3/64"`,
  });
}

function gatewayAt(text: string, index: number): IpAddress {
  const gateway = parseIp(text);
  if (gateway !== undefined) return gateway;
  throw new CniError(
    code.invalidConfig,
    `invalid gateway address: ${text}: CNI_ARGS GATEWAY[${index}] must be an IP address, as in "10.1.2.1"`,
  );
}

function giveGateway(gateway: IpAddress, ips: StaticIp[], log: Request["log"]): void {
  let isUsed = false;
  for (const ip of ips) {
    if (!contains(ip.address, gateway)) continue;
    ip.gateway = gateway;
    isUsed = true;
  }
  if (!isUsed)
    log(`static: no address is in the network of ${formatIp(gateway)} (CNI_ARGS GATEWAY); it is not used`);
}
