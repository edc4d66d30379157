/** Addresses and MACs that are asked for: through CNI_ARGS and, as capabilities, through CAP_ARGS. */
import { outcomeOf } from "../../test/support/command.ts";
import type { JsonRecord } from "../engine/network.ts";
import type { ScratchCase } from "../scratch-lanes.ts";
import { toolCase, wholeLife } from "./case.ts";
import type { Life, Wanted } from "./life.ts";
import { bridgePlugin, FAMILIES, type Family, FIRST, list, single, type Version } from "./networks.ts";
import type { ToolOptions } from "./tool.ts";

const MAC = "02:61:00:00:00:77";
const STATIC = { 4: "10.61.0.77", 6: "fd00:61::77" } as const;
const CAPABILITIES = { ips: true, mac: true, ipRanges: true };

/** How the reference fails: known, and it must. */
interface ReferenceFails {
  readonly row: string;
  readonly because: string;
  readonly message: RegExp;
}

const FOREIGN: ReferenceFails = {
  row: "A51",
  because: "bridge and host-local refuse each other's CNI_ARGS",
  message: /unknown args \["(IP|MAC)=/,
};

interface Asked {
  readonly what: string;
  readonly options: ToolOptions;
  readonly families: readonly Family[];
  readonly addresses?: Wanted["addresses"];
  readonly mac?: string;
  readonly referenceFails?: ReferenceFails;
  /** Of the configuration, in place of the usual ones. */
  readonly keys?: JsonRecord;
}

const ASKED: readonly Asked[] = [
  {
    what: "CNI_ARGS IP",
    options: { args: `IP=${STATIC[4]}` },
    families: [4],
    addresses: STATIC,
    referenceFails: FOREIGN,
  },
  {
    what: "CNI_ARGS IP with a prefix length, IgnoreUnknown",
    options: { args: `IgnoreUnknown=1;IP=${STATIC[4]}/24` },
    families: [4],
    addresses: STATIC,
  },
  {
    what: "CNI_ARGS IP of IPv6, IgnoreUnknown",
    options: { args: `IgnoreUnknown=true;IP=${STATIC[6]}` },
    families: [6],
    addresses: STATIC,
  },
  {
    what: "CNI_ARGS IP for one family of two",
    options: { args: `IP=${STATIC[6]};IgnoreUnknown=1` },
    families: [4, 6],
    addresses: { 6: STATIC[6] },
  },
  { what: "CNI_ARGS MAC", options: { args: `MAC=${MAC}` }, families: [4], mac: MAC, referenceFails: FOREIGN },
  {
    what: "CNI_ARGS IP and MAC",
    options: { args: `IP=${STATIC[4]};MAC=${MAC}` },
    families: [4, 6],
    addresses: { 4: STATIC[4] },
    mac: MAC,
    referenceFails: FOREIGN,
  },
  {
    what: "CNI_ARGS as of Kubernetes",
    options: {
      args: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-1;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=1-2",
    },
    families: [4, 6],
  },
  {
    what: "CAP_ARGS ips",
    options: { capabilities: { ips: [`${STATIC[4]}/24`] } },
    families: [4],
    addresses: STATIC,
  },
  {
    what: "CAP_ARGS ips of both families",
    options: { capabilities: { ips: [`${STATIC[4]}/24`, `${STATIC[6]}/64`] } },
    families: [4, 6],
    addresses: STATIC,
  },
  { what: "CAP_ARGS mac", options: { capabilities: { mac: MAC } }, families: [4], mac: MAC },
  {
    what: "CAP_ARGS ips and mac",
    options: { capabilities: { ips: [STATIC[4], STATIC[6]], mac: MAC } },
    families: [4, 6],
    addresses: STATIC,
    mac: MAC,
  },
  {
    what: "CNI_ARGS IP and CAP_ARGS ips, one a family",
    options: { args: `IP=${STATIC[4]};IgnoreUnknown=1`, capabilities: { ips: [`${STATIC[6]}/64`] } },
    families: [4, 6],
    addresses: STATIC,
  },
  {
    what: "CAP_ARGS ipRanges",
    keys: { ipam: { type: "host-local", routes: [{ dst: "0.0.0.0/0" }] } },
    options: {
      capabilities: {
        ipRanges: [[{ subnet: "10.61.0.0/24", rangeStart: STATIC[4], rangeEnd: "10.61.0.79" }]],
      },
    },
    families: [4],
    addresses: STATIC,
  },
  {
    what: "CAP_ARGS of no capability",
    options: { capabilities: { bandwidth: { ingressRate: 1 }, other: [1, { two: null }] } },
    families: [4],
  },
];

const REFUSED: readonly (readonly [what: string, options: ToolOptions, message: RegExp])[] = [
  ["the gateway", { args: "IP=10.61.0.1;IgnoreUnknown=1" }, /requested ip 10\.61\.0\.1 is subnet's gateway/],
  [
    "an address of another subnet",
    { args: "IP=10.62.0.9;IgnoreUnknown=1" },
    /failed to allocate all requested IPs: 10\.62\.0\.9/,
  ],
  [
    "two addresses of one set",
    { capabilities: { ips: ["10.61.0.8/24", "10.61.0.9/24"] } },
    /failed to allocate all requested IPs: 10\.61\.0\.9/,
  ],
  ["no address", { args: "IP=10.61.0.256;IgnoreUnknown=1" }, /10\.61\.0\.256/],
  ["no MAC", { args: "MAC=02:61;IgnoreUnknown=1" }, /02:61/],
  ["a multicast MAC", { capabilities: { mac: "01:00:5e:00:00:01" } }, /01:00:5e:00:00:01/],
  ["a key that nobody knows", { args: "COLOUR=red" }, /COLOUR=red/],
];

const VERSIONS_HERE = ["0.3.1", "1.0.0", "1.1.0"] as const;

/** Single configurations and lists in turn. */
function config(
  index: number,
  version: Version,
  families: readonly Family[],
  keys: JsonRecord = {},
): readonly [string, JsonRecord] {
  const plugin = bridgePlugin(families, { capabilities: CAPABILITIES, ...keys });
  return index % 2 === 0
    ? ["10-net.conf", single(version, plugin)]
    : ["10-net.conflist", list(version, [plugin])];
}

const asked = (request: Asked, index: number): ScratchCase => {
  const { what, options, families, addresses, mac, referenceFails, keys } = request;
  const version = VERSIONS_HERE[index % VERSIONS_HERE.length] ?? "1.1.0";
  const only = Object.fromEntries(families.map((family) => [family, addresses?.[family] ?? FIRST[family]]));
  return toolCase({
    name: `static: ${what}, ${version}`,
    config: config(index, version, families, keys),
    wanted: { version, families, addresses: only, ...(mac !== undefined && { mac }) },
    options,
    run: async (life) => {
      if (referenceFails !== undefined) await failOfReference(life, options, referenceFails);
      await wholeLife(life);
    },
  });
};

async function failOfReference(life: Life, options: ToolOptions, fails: ReferenceFails): Promise<void> {
  const { reference: plugins } = life.scene.programs;
  const { exitCode, stderr } = await life.call("add", { ...options, plugins });
  const occurs = exitCode === 1 && fails.message.test(stderr);
  life.scene.judge.explained(fails.row, fails.because, occurs, stderr);
  // What its failed ADD leaves (G7) would be in the way.
  await outcomeOf(life.container.inside("ip link del eth0"));
}

export const STATIC_CASES: readonly ScratchCase[] = [
  ...ASKED.map(asked),
  toolCase({
    name: "static: refused",
    config: config(1, "1.1.0", [4, 6]),
    wanted: { version: "1.1.0", families: [4, 6] },
    run: async (life) => {
      for (const [, options, message] of REFUSED) await life.refused("add", message, options);
    },
  }),
  toolCase({
    name: "static: an address that another container has",
    config: config(0, "1.0.0", FAMILIES["dual-stack"] ?? []),
    wanted: { version: "1.0.0", families: [4, 6], addresses: STATIC },
    options: { capabilities: { ips: [STATIC[4], STATIC[6]] } },
    run: async (life, tool) => {
      await life.add();
      const { judge, host } = life.scene;
      const c2 = await host.addNamespace("c2");
      const { exitCode, stderr } = await tool.call("add", "neta", c2, {
        args: `IP=${STATIC[6]};IgnoreUnknown=1`,
      });
      judge.same("exit code", exitCode, 1);
      judge.says(
        "message",
        stderr,
        /requested IP address fd00:61::77 is not available.*cnitool-[0-9a-f]{20}/s,
      );
      await life.reaches();
      await life.del();
    },
  }),
  toolCase({
    name: "static: del without the arguments of add",
    config: config(1, "1.1.0", [4, 6]),
    wanted: { version: "1.1.0", families: [4, 6], addresses: STATIC, mac: MAC },
    options: { capabilities: { ips: [STATIC[4], STATIC[6]], mac: MAC } },
    run: async (life) => {
      await life.add();
      const { exitCode, stderr } = await life.call("del", {});
      life.scene.judge.same("cnitool del", [exitCode, stderr], [0, ""]);
      await life.gone();
    },
  }),
];
