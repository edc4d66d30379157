/** What the plugin does not do: children, netfilter sockets, changes before an error. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { hostTests } from "../../support/host-test.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless, whyNoProgram } from "../../support/skip.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import { type Backend, collect, listed, Pod, type PortMapping, saved } from "./pod.ts";
import { ruleTest, V4, V6, withBridge } from "./scene.ts";

const PORT = [{ hostPort: 8080, containerPort: 80 }];

/** System calls of one call of the plugin and of its children. */
async function callsOf(
  host: ScratchHost,
  pod: Pod,
  command: string,
  mappings: readonly PortMapping[],
  keys: object = {},
): Promise<string[]> {
  const file = "/run/strace";
  const outcome = await host.plugin("portmap", pod.request(command, mappings, keys), [
    "strace",
    "-f",
    "-e",
    "trace=execve,socket",
    "-o",
    file,
  ]);
  expect(`${outcome}`).toStartWith("exit code 0");
  const lines = readFileSync(file, "utf8").split("\n");
  await host.run(`rm ${file}`);
  return lines.filter((line) => /execve\(|NETLINK_NETFILTER/.test(line)).slice(1);
}

const traced = hostTests({}, testUnless(whyNoProgram("strace")));

traced(
  "M1, chain-pains 9: without mappings there is no netfilter socket, and the result is prevResult",
  withBridge(async (host) => {
    const pod = new Pod(host, undefined, { addresses: [V4] });
    for (const runtimeConfig of [undefined, null, {}, { portMappings: null }, { portMappings: [] }]) {
      expect(await callsOf(host, pod, "ADD", [], { runtimeConfig })).toEqual([]);
      expect(await callsOf(host, pod, "CHECK", [], { runtimeConfig })).toEqual([]);
      const outcome = await pod.call("ADD", [], { runtimeConfig });
      expect(outcome.json()).toEqual(pod.prevResult() as Record<string, unknown>);
      expect(`${await pod.call("DEL", [], { runtimeConfig })}`).toStartWith("exit code 0");
    }
  }),
);

for (const backend of ["iptables", "nftables"] as const)
  traced(
    `no child with ${backend}, also with 100 ports`,
    withBridge(async (host) => {
      const pod = new Pod(host, undefined, { addresses: [V4, V6] });
      const many = Array.from({ length: 100 }, (_, index) => ({ hostPort: 9000 + index, containerPort: 80 }));
      for (const command of ["ADD", "CHECK", "DEL"]) {
        const calls = await callsOf(host, pod, command, many, { backend });
        expect(calls.filter((line) => line.includes("execve("))).toEqual([]);
        expect(calls.length).toBeGreaterThan(0);
      }
    }),
  );

describe("M46: an error comes before anything is touched", () => {
  const cases: [string, object, string][] = [
    ["a host port", { hostPort: 70000, containerPort: 80 }, "portMappings[1].hostPort 70000 is not 1–65535"],
    ["no host port", { containerPort: 80 }, "Invalid host port number: portMappings[1].hostPort 0 is not"],
    [
      "a container port",
      { hostPort: 81, containerPort: 0 },
      "Invalid container port number: portMappings[1].containerPort 0 is not",
    ],
    [
      "a protocol",
      { hostPort: 81, containerPort: 80, protocol: "icmp" },
      'portMappings[1].protocol "icmp" is not tcp, udp or sctp',
    ],
    [
      "a host address",
      { hostPort: 81, containerPort: 80, hostIP: "localhost" },
      'portMappings[1].hostIP "localhost" is not an IP address',
    ],
    [
      "a port twice (M47)",
      { hostPort: 8080, containerPort: 81 },
      "portMappings[1] publishes host port 8080/tcp again, which portMappings[0] publishes",
    ],
  ];
  for (const [name, second, says] of cases)
    ruleTest(name, async (host) => {
      const pod = new Pod(host, undefined, { addresses: [V4, V6] });
      const before = await host.state();
      const { code, msg } = await pod.failure("ADD", [...PORT, second as PortMapping]);
      expect([code, msg.includes(says) ? says : msg]).toEqual([7, says]);
      expect(await host.state()).toEqual(before);
    });

  const keys: [string, object, string][] = [
    ["M3: an empty backend", { backend: "" }, 'unrecognized backend ""'],
    ["M3: an unknown backend", { backend: "x" }, 'unrecognized backend "x"'],
    ["M3: a bit", { markMasqBit: 32 }, "MasqMarkBit must be between 0 and 31"],
    [
      "M3: a bit and a chain",
      { markMasqBit: 1, externalSetMarkChain: "X" },
      "Cannot specify externalSetMarkChain and markMasqBit",
    ],
    [
      "M4: a chain with nftables",
      { backend: "nftables", externalSetMarkChain: "X" },
      "nftables backend was requested but configuration contains iptables-specific options [externalSetMarkChain]",
    ],
    [
      "M4: words of nft with iptables",
      { backend: "iptables", conditionsV4: ["ip", "saddr", "10.0.0.0/8"] },
      "contains nftables-specific options [conditionsV4]",
    ],
    ["M58: an empty word", { conditionsV4: [""] }, 'conditionsV4[0] is ""'],
    ["M58: words that iptables does not know", { conditionsV4: ["--zzz"] }, "--zzz"],
    ["M58: words that nft does not know", { conditionsV4: ["zzz"] }, "nft does not accept conditionsV4"],
  ];
  for (const [name, more, says] of keys)
    ruleTest(name, async (host) => {
      const pod = new Pod(host, undefined, { addresses: [V4, V6] });
      const before = await host.state();
      const { msg } = await pod.failure("ADD", PORT, more);
      expect(msg).toContain(says);
      expect(await host.state()).toEqual(before);
    });

  ruleTest("M2: prevResult is missing", async (host) => {
    const pod = new Pod(host, undefined);
    expect((await pod.failure("ADD", PORT, { prevResult: undefined })).msg).toStartWith(
      "must be called as chained plugin",
    );
    expect((await pod.failure("CHECK", PORT, { prevResult: undefined })).msg).toStartWith(
      "Required prevResult missing",
    );
    expect(`${await pod.call("DEL", PORT, { prevResult: undefined })}`).toStartWith("exit code 0");
  });
});

ruleTest("M7, M8: the first address of each family counts, and none is no error", async (host) => {
  const pod = new Pod(host, undefined, { addresses: ["10.1.2.3/24", "10.1.2.4/24"] });
  await pod.add(PORT, { backend: "nftables" });
  expect(await listed()).not.toContain("10.1.2.4");
  expect(await listed("ip6")).toBe("");
  await pod.del();
  const none = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "br0" }],
    ips: [{ address: "10.1.2.5/24", interface: 0 }],
  };
  await pod.add(PORT, { prevResult: none });
  await pod.check(PORT, { prevResult: none });
  expect(await saved()).toEqual([]);
  await pod.add([{ ...PORT[0], hostIP: "::1" } as PortMapping], { backend: "nftables" });
  expect(await listed()).toBe("");
});

ruleTest("M9: every version, in the configuration's form", async (host) => {
  const pod = new Pod(host, undefined, { addresses: [V4] });
  for (const cniVersion of ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
    const old = cniVersion < "0.3.0";
    const prevResult = old ? { cniVersion, ip4: { ip: V4 } } : pod.prevResult(cniVersion);
    const outcome = await pod.call("ADD", PORT, { cniVersion, prevResult });
    expect(outcome.json<{ cniVersion: string }>().cniVersion).toBe(cniVersion);
    await pod.del({ cniVersion });
  }
});

ruleTest("M40, M24: STATUS, and its code without the wanted backend", async (host) => {
  for (const backend of ["iptables", "nftables"] as const) {
    const config = { cniVersion: "1.1.0", name: "net1", type: "portmap", backend };
    expect(`${await host.plugin("portmap", { command: "STATUS", config })}`).toStartWith(
      'exit code 0, stdout ""',
    );
  }
  const config = { cniVersion: "1.1.0", name: "net1", type: "portmap", externalSetMarkChain: "NONE" };
  const outcome = await host.plugin("portmap", { command: "STATUS", config });
  expect(outcome.json<{ code: number }>().code).toBe(50);
});

const legacyTest = hostTests({}, testUnless(await whyNoLegacy()));

/** The chains of rules. */
const shapes = (lines: readonly string[]): string[] => lines.map((line) => line.split(" ")[1] ?? "");

// P13: after the last DEL nothing is left, neither the rules of a container nor what all of them share.
describe("iptables-legacy", () => {
  legacyTest(
    "M11, M41, M44, P13: the same rules, one restore child for each family, and one attachment at a time",
    withBridge(async (host) => {
      const legacy = await legacyHost(true);
      const children = async (action: () => Promise<unknown>): Promise<number> => {
        const before = legacy.calls().length;
        await action();
        return legacy.calls().length - before;
      };
      const backend: { backend: Backend } = { backend: "iptables" };
      const one = new Pod(host, undefined, { addresses: [V4, V6] });
      const two = new Pod(host, undefined, { addresses: ["10.1.2.4/24"], ifname: "eth1" });
      expect(await children(() => one.add(PORT, backend))).toBe(2);
      expect(await children(() => one.add(PORT, backend))).toBe(0);
      const lines = await saved("legacy");
      expect(lines.filter((line) => line.includes("DNAT --to"))).toHaveLength(2);
      expect(lines.filter((line) => line.includes('if: \\"eth0\\"'))).toHaveLength(2);
      expect(await children(() => two.add([{ hostPort: 8081, containerPort: 80 }], backend))).toBe(1);
      expect(await children(() => one.check(PORT, backend))).toBe(0);
      expect(await children(() => one.del())).toBe(2);
      await two.check([{ hostPort: 8081, containerPort: 80 }], backend);
      expect((await saved("legacy")).join("\n")).not.toContain("10.1.2.3");
      // P13: what all attachments share stays as long as another program's rule leads there.
      await host.run("iptables-legacy -t nat -A PREROUTING -p icmp -j CNI-HOSTPORT-DNAT");
      expect(await children(() => collect(host, ["c9"]))).toBe(1);
      expect(shapes(await saved("legacy"))).toEqual([
        ...["PREROUTING", "PREROUTING", "OUTPUT", "POSTROUTING", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK"],
      ]);
      await host.run("iptables-legacy -t nat -D PREROUTING -p icmp -j CNI-HOSTPORT-DNAT");
      expect(await children(() => two.del())).toBe(1);
      expect(await children(() => two.del())).toBe(0);
      await legacy[Symbol.asyncDispose]();
    }),
  );

  legacyTest(
    "M47, M58: the newest wins; conditions are removed by their text",
    withBridge(async (host) => {
      const legacy = await legacyHost();
      const backend = { backend: "iptables" };
      const one = new Pod(host, undefined, { addresses: [V4] });
      const two = new Pod(host, undefined, { addresses: ["10.1.2.4/24"], containerId: "c2" });
      const words = { ...backend, conditionsV4: ["-m", "conntrack", "--ctproto", "6"] };
      await one.add(PORT, words);
      await one.add(PORT, words);
      await one.check(PORT, words);
      expect((await saved("legacy")).filter((line) => line.includes("--ctproto 6"))).toHaveLength(1);
      expect(await two.add(PORT, backend)).toContain('led to container "c1" (network "net1")');
      const [first] = (await saved("legacy")).filter((line) => line.startsWith("-A CNI-HOSTPORT-DNAT"));
      expect(first).toContain("c2");
      await one.del();
      expect((await saved("legacy")).join("\n")).not.toContain("ctproto");
      await two.check(PORT, backend);
      await two.del();
      await legacy[Symbol.asyncDispose]();
    }),
  );

  legacyTest(
    "M42, M47: the ports of a dead attachment go when its address is given to another container",
    withBridge(async (host) => {
      const legacy = await legacyHost();
      const backend = { backend: "iptables" };
      const dead = new Pod(host, undefined, { addresses: [V4, V6] });
      await dead.add([...PORT, { hostPort: 7070, containerPort: 70 }], backend);
      // Another network may have the same addresses.
      const foreign = new Pod(host, undefined, { addresses: [V4], containerId: "c3", network: "net2" });
      await foreign.add([{ hostPort: 6060, containerPort: 60 }], backend);
      const heir = new Pod(host, undefined, { addresses: [V4, V6], containerId: "c2" });
      await heir.add([{ hostPort: 8080, containerPort: 81 }], backend);
      const leads = async () =>
        (await saved("legacy")).flatMap((line) => /--to-destination (\S+)/.exec(line)?.[1] ?? []).sort();
      expect(await leads()).toEqual(["10.1.2.3:60", "10.1.2.3:81", "[fd00:2::3]:81"]);
      await heir.check([{ hostPort: 8080, containerPort: 81 }], backend);
      await dead.del();
      await heir.check([{ hostPort: 8080, containerPort: 81 }], backend);
      await heir.del();
      await foreign.del();
      await legacy[Symbol.asyncDispose]();
    }),
  );

  legacyTest(
    "M41, M45, M55: an ADD in another table than the one before, without a DEL, leaves nothing in the first",
    withBridge(async (host) => {
      const pod = new Pod(host, undefined, { addresses: [V4, V6] });
      const other = new Pod(host, undefined, { addresses: ["10.1.2.4/24"], containerId: "c2" });
      for (const backend of ["iptables", "nftables"]) {
        await other.add(PORT, { backend });
        await pod.add(PORT, { backend });
        const legacy = await legacyHost();
        // M55: rules in the other variant work.
        if (backend === "iptables") {
          await pod.check(PORT, { backend });
          expect((await other.failure("CHECK", PORT, { backend })).msg).toContain("8080/tcp now leads to");
        }
        await other.del();
        await pod.add(PORT, { backend: "iptables" });
        expect([await saved(), await listed(), await listed("ip6")]).toEqual([[], "", ""]);
        await legacy[Symbol.asyncDispose]();
        await pod.check(PORT, { backend: "iptables" });
        await pod.add(PORT, { backend });
        expect((await saved("legacy")).filter((line) => line.includes("CNI-DN-"))).toEqual([]);
        await pod.del();
      }
    }),
  );
});
