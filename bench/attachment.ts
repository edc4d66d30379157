/** Attachments as a runtime asks for them: configurations, namespaces, calls. */
import type { Step } from "./case.ts";
import type { BenchHost, Program } from "./host.ts";

/** A network configuration without name and type. */
export interface Shape {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

const IPV4 = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/16" }]], routes: [{ dst: "0.0.0.0/0" }] };

export const LAYER_2: Shape = { name: "layer 2", config: { bridge: "cni0", ipam: {} } };
export const IPV4_PLAIN: Shape = {
  name: "IPv4",
  config: { bridge: "cni0", isGateway: true, ipam: IPV4 },
};
export const MASQUERADE: Shape = {
  name: "IPv4 + ipMasq",
  config: { ...IPV4_PLAIN.config, ipMasq: true },
};
export const MASQUERADE_IPTABLES: Shape = {
  name: "IPv4 + ipMasq, iptables",
  config: { ...MASQUERADE.config, ipMasqBackend: "iptables" },
};
export const MASQUERADE_NFTABLES: Shape = {
  name: "IPv4 + ipMasq, nftables",
  config: { ...MASQUERADE.config, ipMasqBackend: "nftables" },
};
export const SPOOF_CHECK: Shape = {
  name: "IPv4 + macspoofchk",
  config: { ...IPV4_PLAIN.config, macspoofchk: true },
};
/** What containerd's installation puts into /etc/cni/net.d. */
export const DUAL_STACK: Shape = {
  name: "dual-stack + ipMasq + promisc",
  config: {
    bridge: "cni0",
    isGateway: true,
    ipMasq: true,
    promiscMode: true,
    ipam: {
      type: "host-local",
      ranges: [[{ subnet: "10.88.0.0/16" }], [{ subnet: "2001:4860:4860::/64" }]],
      routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
    },
  },
};

/** Name of the network of every shape. */
export const NETWORK = "net";

/** Who is attached, and where. Identifiers have the length that runtimes give them. */
export const containerId = (number: number): string =>
  `${number.toString(16).padStart(8, "0")}${"c0ffee".repeat(10).slice(0, 56)}`;
export const netnsPath = (name: string): string => `/var/run/netns/${name}`;

/** Makes network namespaces with lo up, named PREFIX0, PREFIX1, … */
export async function addNamespaces(host: BenchHost, prefix: string, count: number): Promise<void> {
  await host.script(
    `for i in $(seq 0 ${count - 1}); do ip netns add ${prefix}$i; ip -n ${prefix}$i link set lo up; done`,
  );
}

export interface CallOptions {
  /** Folder with the plugins. */
  readonly folder: string;
  readonly plugin?: string;
  readonly shape: Shape;
  readonly number: number;
  /** Name of the container's namespace. */
  readonly netns: string;
  readonly version?: string;
  readonly prevResult?: string;
}

/** A call of the bridge plugin, or another one. */
export function pluginCall(command: string, options: CallOptions): Program {
  const { folder, plugin = "bridge", shape, number, netns, version = "1.0.0", prevResult } = options;
  const config = {
    ...{ cniVersion: version, name: NETWORK, type: plugin, ...shape.config },
    ...(prevResult === undefined ? {} : { prevResult: JSON.parse(prevResult) }),
  };
  return {
    argv: [`${folder}/${plugin}`],
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId(number),
      CNI_NETNS: netnsPath(netns),
      CNI_IFNAME: "eth0",
      CNI_PATH: folder,
    },
    stdin: JSON.stringify(config),
  };
}

/** Number of the attachment that is measured: others stand below it. */
export const MEASURED = 1_000_000;

/** ADD and then DEL of one attachment, in a namespace that stays. */
export function addAndDel(options: Omit<CallOptions, "number" | "netns">, suffix = ""): [Step, Step] {
  const call = (command: string) => pluginCall(command, { ...options, number: MEASURED, netns: "measured0" });
  return [
    {
      name: `ADD${suffix}`,
      programs: () => [call("ADD")],
      keep: ([output], memory) => {
        memory.result = output ?? "";
      },
    },
    { name: `DEL${suffix}`, programs: () => [call("DEL")] },
  ];
}
