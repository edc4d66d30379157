/** The plugin firewall. */
import type { Bench } from "../../engine/bench.ts";
import type { JsonRecord } from "../../engine/network.ts";
import { add, type Difference, network, whether } from "../difference.ts";

const PLUGIN = { plugin: "firewall" } as const;
const NETWORK = network({ isGateway: true });

/** The configuration of firewall in the list of the network. */
const config = (keys: JsonRecord = {}): JsonRecord => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "firewall",
  backend: "iptables",
  ...keys,
});

/** A container of the bridge plugin, and what firewall gets as its previous result. */
async function previous(bench: Bench, container = "c1"): Promise<JsonRecord> {
  return { prevResult: (await add(bench, NETWORK, { container })) as unknown as JsonRecord };
}

async function addFirewall(bench: Bench, keys: JsonRecord, container = "c1"): Promise<void> {
  const answer = await bench.call("ADD", config(keys), { ...PLUGIN, container });
  if (answer.exitCode !== 0) throw new Error(`ADD by ${bench.who}: ${answer}`);
}

/** How many rules of the filter table contain a text. */
async function rulesWith({ host }: Bench, text: string): Promise<number> {
  const lines = (await host.run("iptables-save -t filter")).split("\n");
  return lines.filter((line) => line.startsWith("-A ") && line.includes(text)).length;
}

const ADDRESS = "10.1.0.2/32";

export const FIREWALL_ROWS: readonly Difference[] = [
  {
    what: "`firewall`: DEL without a previous result",
    measure: async (bench) => {
      await addFirewall(bench, await previous(bench));
      const before = (await rulesWith(bench, ADDRESS)) > 0;
      const end = whether(await bench.call("DEL", config(), PLUGIN));
      return { "rules before": before, DEL: end, "rules left": await rulesWith(bench, ADDRESS) };
    },
    shows: { "rules before": [true, true], DEL: ["succeeds", "succeeds"], "rules left": [2, 0] },
  },
  {
    what: "`firewall`: published ports while the policy of `FORWARD` is to drop",
    measure: async (bench) => {
      await addFirewall(bench, await previous(bench));
      return {
        "rules that accept them": await rulesWith(bench, "--ctstate DNAT -j ACCEPT"),
        "other rules of the address": (await rulesWith(bench, ADDRESS)) - (await rulesWith(bench, "DNAT")),
      };
    },
    shows: { "rules that accept them": [0, 1], "other rules of the address": [2, 2] },
  },
  {
    what: "`firewall`: the rules of a bridge after its last container",
    measure: async (bench) => {
      const result = { ...(await previous(bench)), ingressPolicy: "same-bridge" };
      await addFirewall(bench, result);
      const before = await rulesWith(bench, "cni0");
      await bench.call("DEL", config(result), PLUGIN);
      return { "with a container": before, after: await rulesWith(bench, "cni0") };
    },
    shows: { "with a container": [2, 2], after: [2, 0] },
  },
  {
    what: "`firewall`: an `ingressPolicy` that is changed",
    measure: async (bench) => {
      await addFirewall(bench, { ...(await previous(bench)), ingressPolicy: "isolated" });
      await addFirewall(bench, { ...(await previous(bench, "c2")), ingressPolicy: "same-bridge" }, "c2");
      return { "still isolated": await rulesWith(bench, "-i cni0 -o cni0") };
    },
    shows: { "still isolated": [1, 0] },
  },
  {
    what: "`firewall`: CHECK",
    measure: async (bench) => {
      const keys = { ...(await previous(bench)), ingressPolicy: "isolated" };
      await addFirewall(bench, keys);
      const check = async () => whether(await bench.call("CHECK", config(keys), PLUGIN));
      const whole = await check();
      await bench.host.run("iptables -F CNI-ISOLATION-STAGE-1");
      const isolation = await check();
      await bench.host.run("nft flush ruleset");
      const nothing = await check();
      return {
        complete: whole,
        "without the isolation": isolation,
        "without any rule": nothing,
        "makes chains": (await bench.host.run("iptables-save")).includes(":CNI-FORWARD"),
      };
    },
    shows: {
      complete: ["succeeds", "succeeds"],
      "without the isolation": ["succeeds", "fails"],
      "without any rule": ["fails", "fails"],
      "makes chains": [true, false],
    },
  },
  {
    what: "`firewall`: GC",
    measure: async (bench) => {
      await addFirewall(bench, await previous(bench));
      const list = [{ containerID: "other", ifname: "eth0" }];
      const keys = { "cni.dev/valid-attachments": list, "cni.dev/attachments": list };
      return {
        GC: whether(await bench.call("GC", config(keys), PLUGIN)),
        "rules left": await rulesWith(bench, ADDRESS),
      };
    },
    shows: { GC: ["succeeds", "succeeds"], "rules left": [2, 0] },
  },
  {
    what: "`firewall`: an unknown policy, or a policy without a bridge",
    measure: async (bench) => {
      const { prevResult = null } = await previous(bench);
      const end = whether(await bench.call("ADD", config({ prevResult, ingressPolicy: "x" }), PLUGIN));
      const left = await rulesWith(bench, ADDRESS);
      const [, veth] = (prevResult as { interfaces: JsonRecord[] }).interfaces;
      const ptp: JsonRecord = {
        ...(prevResult as JsonRecord),
        interfaces: [veth ?? {}],
        ips: [{ address: "10.1.0.2/24" }],
      };
      const onVeth = await bench.call("ADD", config({ prevResult: ptp, ingressPolicy: "isolated" }), PLUGIN);
      return { "unknown policy": end, "rules left": left, "on a veth": whether(onVeth) };
    },
    shows: { "unknown policy": ["fails", "fails"], "rules left": [2, 0], "on a veth": ["succeeds", "fails"] },
  },
  {
    what: "`firewall`: `backend` nftables, or a misspelt one",
    measure: async (bench) => {
      const keys = await previous(bench);
      const nft = whether(await bench.call("ADD", config({ ...keys, backend: "nftables" }), PLUGIN));
      return {
        nftables: nft,
        "its rules are in iptables": (await rulesWith(bench, ADDRESS)) > 0,
        "a misspelt one": whether(await bench.call("ADD", config({ ...keys, backend: "nftable" }), PLUGIN)),
      };
    },
    shows: {
      nftables: ["succeeds", "succeeds"],
      "its rules are in iptables": [true, false],
      "a misspelt one": ["succeeds", "fails"],
    },
  },
];
