/** Containers on bridges of the bridge plugin with the firewall plugin behind it, and rules as their tools list them. */
import { expect } from "bun:test";
import { hostTests } from "../../support/host-test.ts";
import type { PluginOutcome } from "../../support/plugin-call.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import {
  type AddResult,
  type Attachment,
  attach,
  BRIDGE,
  type ErrorDocument,
  hostLocal,
  IPAM_FILES,
  V4,
  V6,
} from "../bridge/network.ts";

/** The bridge and the IPAM's own files stay after the last DEL. Of the firewall nothing stays. */
const STAYS = [
  new RegExp(`\\b(${BRIDGE}|br1)\\b`),
  /^sysctl net\.ipv[46]\.(ip_forward|conf\.(all|default)\.forwarding) /,
  IPAM_FILES,
  /^file \/var\/lib\/cni\/(networks\/)?((\.bridgehead|other)\/(other\.index|lock|last_reserved_ip\.\d+)?)? /,
];

export const firewallTest = hostTests({ mayKeep: STAYS });
export const firewallTests = (run: Parameters<typeof hostTests>[1]) => hostTests({ mayKeep: STAYS }, run);

export const DUAL = { isDefaultGateway: true, ipam: hostLocal(V4, V6) };

/** A second bridge with a network of its own. */
export const OTHER = {
  name: "other",
  bridge: "br1",
  isDefaultGateway: true,
  ipam: hostLocal({ subnet: "10.78.0.0/24" }, { subnet: "fd78::/64" }),
};

/** The firewall of an attachment. */
export class Firewall {
  readonly attachment: Attachment;
  readonly keys: object;

  constructor(attachment: Attachment, keys: object = {}) {
    this.attachment = attachment;
    this.keys = keys;
  }

  get v4(): string {
    return this.address(".");
  }

  get v6(): string {
    return this.address(":");
  }

  private address(sign: string): string {
    return (
      this.attachment.result.ips.find(({ address }) => address.includes(sign))?.address.split("/")[0] ?? ""
    );
  }

  /** What a runtime sends; undefined keys are left out. */
  request(command: string, keys: object = {}) {
    const { attachment } = this;
    const { cniVersion, name } = attachment.config as { cniVersion: string; name: string };
    return {
      command,
      containerId: attachment.containerId,
      netns: attachment.namespace.path,
      ifname: attachment.ifname,
      config: {
        ...{ cniVersion, name, type: "firewall", prevResult: attachment.result },
        ...this.keys,
        ...keys,
      },
    };
  }

  call(command: string, keys: object = {}, under: readonly string[] = []): Promise<PluginOutcome> {
    return this.attachment.host.plugin("firewall", this.request(command, keys), under);
  }

  async add(keys: object = {}): Promise<AddResult> {
    const outcome = await this.call("ADD", keys);
    expect(`${outcome}`).toStartWith("exit code 0");
    return outcome.json<AddResult>();
  }

  async check(keys: object = {}): Promise<void> {
    expect(`${await this.call("CHECK", keys)}`).toStartWith('exit code 0, stdout ""');
  }

  async failure(command: string, keys: object = {}): Promise<ErrorDocument> {
    const outcome = await this.call(command, keys);
    expect(`${outcome}`).toStartWith("exit code 1");
    return outcome.json<ErrorDocument>();
  }

  /** What a CHECK says that must fail. */
  loss = async (keys: object = {}): Promise<string> => (await this.failure("CHECK", keys)).msg;

  /** DEL that must succeed silently; without prevResult unless `keys` say otherwise. */
  async del(keys: object = { prevResult: undefined }): Promise<void> {
    expect(`${await this.call("DEL", keys)}`).toStartWith('exit code 0, stdout ""');
  }
}

/** A container of this name on a network, without firewall rules yet. */
export const container = async (
  host: ScratchHost,
  name: string,
  keys: object = {},
  network: object = DUAL,
): Promise<Firewall> => new Firewall(await attach(host, name, network), keys);

/** A container with firewall rules. */
export async function firewalled(...parameters: Parameters<typeof container>): Promise<Firewall> {
  const firewall = await container(...parameters);
  await firewall.add();
  return firewall;
}

/** Calls the plugin without an attachment: GC and STATUS. */
export const hostCall = (host: ScratchHost, command: string, keys: object = {}) =>
  host.plugin("firewall", {
    command,
    config: { cniVersion: "1.1.0", name: "testnet", type: "firewall", ...keys },
  });

/** GC that must succeed, with these containers as valid ones. */
export async function collect(host: ScratchHost, ids: readonly string[], keys: object = {}): Promise<void> {
  const valid = ids.map((containerID) => ({ containerID, ifname: "eth0" }));
  const outcome = await hostCall(host, "GC", { "cni.dev/valid-attachments": valid, ...keys });
  expect(`${outcome}`).toStartWith("exit code 0");
}

/** The rules and own chains of a filter table, as `iptables-save` or a program like it lists them. */
export async function filterRules(host: ScratchHost, program = "iptables"): Promise<string[]> {
  const lines = (await host.run(`${program}-save -t filter`)).split("\n");
  return lines
    .filter((line) => line.startsWith("-A ") || (line.startsWith(":") && line.includes(" - ")))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, ""));
}

/** The rules of one address in CNI-FORWARD, as the layout has them. */
export const addressLines = (address: string): string[] => {
  const whole = `${address}/${address.includes(":") ? 128 : 32}`;
  return [
    `-A CNI-FORWARD -d ${whole} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    `-A CNI-FORWARD -d ${whole} -m conntrack --ctstate DNAT -j ACCEPT`,
    `-A CNI-FORWARD -s ${whole} -j ACCEPT`,
  ];
};

const ANY = '-m comment --comment "CNI firewall plugin rules (ingressPolicy: same-bridge|isolated)"';
const STAGE_1 = "CNI-ISOLATION-STAGE-1";
const STAGE_2 = "CNI-ISOLATION-STAGE-2";

/** The whole layout of a family with these addresses, and one bridge with a policy. */
export function layout(addresses: readonly string[], policy = "open", bridge = BRIDGE): string[] {
  const isIsolating = policy !== "open";
  const comment = `-m comment --comment "CNI firewall plugin rules (ingressPolicy: ${policy})"`;
  return [
    ":CNI-ADMIN -",
    ":CNI-FORWARD -",
    ...(isIsolating ? [`:${STAGE_1} -`, `:${STAGE_2} -`, `-A FORWARD ${ANY} -j ${STAGE_1}`] : []),
    '-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD',
    '-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN',
    ...addresses.flatMap(addressLines),
    ...(policy === "isolated" ? [`-A ${STAGE_1} -i ${bridge} -o ${bridge} ${comment} -j DROP`] : []),
    ...(isIsolating
      ? [
          `-A ${STAGE_1} -i ${bridge} ! -o ${bridge} ${comment} -j ${STAGE_2}`,
          `-A ${STAGE_1} ${ANY} -j RETURN`,
          `-A ${STAGE_2} -o ${bridge} ${ANY} -j DROP`,
          `-A ${STAGE_2} ${ANY} -j RETURN`,
        ]
      : []),
  ];
}
