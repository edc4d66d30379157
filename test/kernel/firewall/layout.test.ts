/** The rules in iptables-nft: layout, idempotence, removal, policies, CHECK, GC, parallel calls (F7, F8, F11, F30 to F40). */
import { describe, expect, test } from "bun:test";
import { outcomeOf } from "../../support/command.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { attach, BRIDGE, hostLocal, V4 } from "../bridge/network.ts";
import { Programs } from "../netfilter/programs.ts";
import {
  addressLines,
  collect,
  container,
  DUAL,
  Firewall,
  filterRules,
  firewalled,
  firewallTest,
  layout,
  OTHER,
} from "./network.ts";
import { referenceAdd, referenceDel } from "./reference.ts";

const POLICIES = ["open", "same-bridge", "isolated"] as const;
const FAMILIES = ["iptables", "ip6tables"] as const;

/** Both families' rules. */
const rules = async (host: ScratchHost) => [await filterRules(host), await filterRules(host, "ip6tables")];

firewallTest.each(POLICIES)(
  "F7, F8, F21: the reference's layout with policy %s, and nothing left",
  async (host, policy) => {
    const one = await container(host, "c1", { ingressPolicy: policy });
    await host.unchangedBy(async () => {
      expect(await one.add()).toEqual(one.attachment.result);
      const wanted = [layout([one.v4], policy), layout([one.v6], policy)];
      expect(await rules(host)).toEqual(wanted);
      // ADD again adds nothing, and CHECK only reads.
      await one.add();
      await host.unchangedBy(() => one.check());
      expect(await rules(host)).toEqual(wanted);
      // F11, F30: neither the previous result nor the namespace is needed.
      await one.del();
      await one.del();
    });
    await one.attachment.del();
  },
);

firewallTest.each(POLICIES)(
  "F21: the reference writes what ours writes, and ours removes it (%s)",
  async (host, policy) => {
    const one = await container(host, "c1", { ingressPolicy: policy });
    const ingress = policy === "open" ? undefined : { policy, bridge: BRIDGE };
    await referenceAdd([one.v4, one.v6], ingress);
    const published = (line: string): boolean => !line.includes("--ctstate DNAT");
    expect(await rules(host)).toEqual([
      layout([one.v4], policy).filter(published),
      layout([one.v6], policy).filter(published),
    ]);
    // F32: the rule that the reference does not know is not missed.
    await one.check();
    await one.del({});
    // Chains that another program made stay; the rules of the bridge, which nobody uses, do not (F33).
    const left = (await filterRules(host)).filter((line) =>
      /CNI-FORWARD -[ds]|ISOLATION.* -[io] /.test(line),
    );
    expect(left).toEqual([]);
    for (const program of FAMILIES) {
      await host.run(`${program}-save | grep -c CNI-FORWARD`);
      await host.run(`nft delete table ${program === "iptables" ? "ip" : "ip6"} filter`);
    }
    await one.attachment.del();
  },
);

firewallTest("F21, F32: the reference removes ours, but for the rule that it does not know", async (host) => {
  const one = await firewalled(host, "c1");
  const two = await firewalled(host, "c2");
  await referenceDel([one.v4, one.v6]);
  expect(await filterRules(host)).toEqual([
    ...layout([]),
    addressLines(one.v4)[1] ?? "",
    ...addressLines(two.v4),
  ]);
  await two.check();
  for (const each of [one, two]) {
    await each.del();
    await each.attachment.del();
  }
});

firewallTest(
  "F7: the administrator's rules come first, and stay in force after the last DEL",
  async (host) => {
    const one = await firewalled(host, "c1", { iptablesAdminChainName: "MY-RULES" });
    await host.run("iptables -A MY-RULES -s 192.0.2.9 -j DROP");
    await one.del();
    const kept = [
      ":CNI-FORWARD -",
      ":MY-RULES -",
      '-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD',
      '-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j MY-RULES',
      "-A MY-RULES -s 192.0.2.9/32 -j DROP",
    ];
    expect(await filterRules(host)).toEqual(kept);
    expect(await filterRules(host, "ip6tables")).toEqual([]);
    await host.run("iptables -F MY-RULES");
    await one.add();
    await one.del();
    await one.attachment.del();
  },
);

firewallTest(
  "F7: a policy that an administrator gave to FORWARD is not lost with the last rule",
  async (host) => {
    const one = await firewalled(host, "c1");
    await host.run("iptables -P FORWARD DROP");
    await one.del();
    expect(await host.run("iptables -S FORWARD")).toBe("-P FORWARD DROP\n");
    await host.run("nft delete table ip filter");
    await one.attachment.del();
  },
);

describe("F33: the rules of a bridge", () => {
  firewallTest.each([
    ["same-bridge", "isolated"],
    ["isolated", "same-bridge"],
    ["isolated", "open"],
  ])("change with the policy from %s to %s", async (host, before, after) => {
    const one = await firewalled(host, "c1", { ingressPolicy: before });
    const two = await firewalled(host, "c2", { ingressPolicy: after });
    const found = (await filterRules(host)).filter((line) => line.includes(BRIDGE));
    expect(found).toEqual(layout([], after).filter((line) => line.includes(BRIDGE)));
    // F39: the port that the first ADD has isolated is given back.
    const { isolated } = await port(host, one.attachment.veth);
    expect(isolated).toBe(false);
    for (const each of [one, two]) {
      await each.del();
      await each.attachment.del();
    }
  });

  firewallTest("stay as strict as another network on the bridge wants them", async (host) => {
    const strict = await firewalled(host, "c1", { ingressPolicy: "isolated" });
    const open = await firewalled(host, "c2", { ingressPolicy: "open", name: "open" });
    await strict.check();
    const wanted = layout([], "isolated").filter((line) => line.includes(BRIDGE));
    const found = async () => (await filterRules(host)).filter((line) => line.includes(BRIDGE));
    expect(await found()).toEqual(wanted);
    await strict.del();
    // The other network's container has no policy.
    expect(await found()).toEqual([]);
    await open.del();
    await strict.attachment.del();
    await open.attachment.del();
  });

  firewallTest("go with their last attachment, not before, and with the bridge", async (host) => {
    const one = await firewalled(host, "c1", { ingressPolicy: "same-bridge" });
    const two = await firewalled(host, "c2", { ingressPolicy: "same-bridge" });
    const other = await firewalled(host, "c3", { ingressPolicy: "same-bridge" }, OTHER);
    await one.del();
    await two.check();
    await two.del();
    expect((await filterRules(host)).filter((line) => line.includes(BRIDGE))).toEqual([]);
    await other.check();
    // The bridge goes without a DEL of its container's firewall.
    for (const each of [one, two, other]) await each.attachment.del();
    await host.run("ip link del br1");
    await collect(host, []);
    expect((await filterRules(host)).filter((line) => line.includes("br1"))).toEqual([]);
    await other.del({ name: "other" });
  });

  firewallTest("of the reference's containers stay as long as one may be on the bridge", async (host) => {
    const one = await container(host, "c1");
    await referenceAdd([one.v4, one.v6], { policy: "isolated", bridge: BRIDGE });
    const two = await firewalled(host, "c2", { ingressPolicy: "isolated" });
    await two.del({});
    expect(await filterRules(host)).toContain(
      layout([], "isolated").find((line) => line.endsWith("-j DROP")) ?? "",
    );
    await one.del({});
    expect((await filterRules(host)).filter((line) => line.includes(BRIDGE))).toEqual([]);
    await host.run("nft delete table ip filter; nft delete table ip6 filter");
    for (const each of [one, two]) await each.attachment.del();
  });
});

/** A port of a bridge, as `bridge -d link` shows it. */
async function port(host: ScratchHost, name: string): Promise<{ isolated: boolean }> {
  const [found] = await host.json<{ isolated: boolean }[]>([
    "bridge",
    "-j",
    "-d",
    "link",
    "show",
    "dev",
    name,
  ]);
  if (found === undefined) throw new Error(`no port ${name}`);
  return found;
}

firewallTest("F39: isolated isolates the container's port, and DEL gives it back", async (host) => {
  const one = await firewalled(host, "c1", { ingressPolicy: "isolated" });
  const { veth } = one.attachment;
  expect((await port(host, veth)).isolated).toBe(true);
  await host.run(`bridge link set dev ${veth} isolated off`);
  expect(await one.loss()).toContain(`bridge port "${veth}" is not isolated`);
  await one.add();
  await one.del();
  expect((await port(host, veth)).isolated).toBe(false);
  await one.attachment.del();
  // A port that the bridge plugin has isolated stays so.
  const two = await firewalled(host, "c2", { ingressPolicy: "isolated" }, { ...DUAL, portIsolation: true });
  await two.del();
  expect((await port(host, two.attachment.veth)).isolated).toBe(true);
  await two.attachment.del();
});

describe("F34: CHECK names what is missing, and changes nothing", () => {
  const MUTATIONS: readonly [what: string, mutation: string, message: string][] = [
    [
      "the jump of FORWARD",
      "iptables -D FORWARD 2",
      'lacks the rule "-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD"',
    ],
    ["the administrator's jump", "iptables -D CNI-FORWARD 1", "-j CNI-ADMIN"],
    ["the rule of answers", "iptables -D CNI-FORWARD 2", "--ctstate RELATED,ESTABLISHED"],
    ["the rule of published ports", "iptables -D CNI-FORWARD 3", "--ctstate DNAT"],
    ["the rule of the source", "iptables -D CNI-FORWARD 4", "-A CNI-FORWARD -s 10.77.0.2/32 -j ACCEPT"],
    ["a rule of IPv6", "ip6tables -D CNI-FORWARD 4", "the filter table of ip6tables-nft lacks the rule"],
    ["the jump of the isolation", "iptables -D FORWARD 1", "-j CNI-ISOLATION-STAGE-1"],
    ["the rule between bridges", "iptables -D CNI-ISOLATION-STAGE-1 2", "! -o br0"],
    ["the rule within the bridge", "iptables -D CNI-ISOLATION-STAGE-1 1", "-i br0 -o br0"],
    [
      "the rule of the second stage",
      "iptables -D CNI-ISOLATION-STAGE-2 1",
      "-A CNI-ISOLATION-STAGE-2 -o br0",
    ],
    ["everything", "nft flush ruleset", "the filter table of iptables-nft has no chain CNI-FORWARD"],
    [
      "the order of the jumps",
      "iptables -D FORWARD 1; iptables -A FORWARD -m comment --comment 'CNI firewall plugin rules (ingressPolicy: same-bridge|isolated)' -j CNI-ISOLATION-STAGE-1",
      "behind the one that leads to CNI-FORWARD",
    ],
  ];

  firewallTest.each(MUTATIONS)("%s", async (host, _, mutation, message) => {
    const one = await firewalled(host, "c1", { ingressPolicy: "isolated" });
    await one.check();
    await host.run(mutation);
    await host.unchangedBy(async () => expect(await one.loss()).toContain(message));
    // ADD puts back what is missing.
    await one.add();
    await one.check();
    await one.del();
    await one.attachment.del();
  });

  firewallTest("F34: of two missing rules both are named", async (host) => {
    const one = await firewalled(host, "c1");
    await host.run("iptables -F CNI-FORWARD");
    const loss = await one.loss();
    for (const line of addressLines(one.v4).filter((each) => !each.includes("DNAT")))
      expect(loss).toContain(line);
    await one.del();
    await one.attachment.del();
  });
});

describe("F31: GC", () => {
  firewallTest("removes the rules of this network's attachments that are not listed", async (host) => {
    const one = await firewalled(host, "c1");
    const two = await firewalled(host, "c2");
    const other = await firewalled(host, "c3", {}, OTHER);
    await collect(host, ["c1"]);
    expect(await filterRules(host)).toEqual(layout([one.v4, other.v4]));
    expect(await filterRules(host, "ip6tables")).toEqual(layout([one.v6, other.v6]));
    // An empty list does not show that the attachments are gone (A39): leases hold the addresses.
    await collect(host, []);
    expect(await filterRules(host)).toEqual(layout([one.v4, other.v4]));
    await one.attachment.del();
    await collect(host, []);
    expect(await filterRules(host)).toEqual(layout([other.v4]));
    await other.del();
    for (const each of [two, other]) await each.attachment.del();
  });

  firewallTest(
    "removes the reference's rules if no lease holds the address and it is of this network",
    async (host) => {
      const one = await firewalled(host, "c1");
      const two = await container(host, "c2");
      // A living container, one that is gone, and one of an unknown network.
      const strangers = ["10.77.0.99", "10.99.0.9"];
      await referenceAdd([two.v4, ...strangers]);
      await collect(host, ["c1", "c2"]);
      const published = (line: string): boolean => !line.includes("--ctstate DNAT");
      expect(await filterRules(host)).toEqual([
        ...layout([one.v4]),
        ...[two.v4, "10.99.0.9"].flatMap(addressLines).filter(published),
      ]);
      await referenceDel(["10.99.0.9"]);
      await two.del({});
      await one.del();
      for (const each of [one, two]) await each.attachment.del();
    },
  );
});

firewallTest(
  "F30: rules of the reference for an address that another container has now are not touched",
  async (host) => {
    const one = await container(host, "c1");
    const { result } = one.attachment;
    await one.attachment.del();
    // The range goes on, so that the address is asked for.
    const two = new Firewall(await attach(host, "c2", DUAL, { args: `IP=${one.v4}` }));
    expect(two.v4).toBe(one.v4);
    await referenceAdd([two.v4]);
    await one.del({ prevResult: result });
    expect(await filterRules(host)).toHaveLength(6);
    await two.del({});
    await host.run("nft delete table ip filter");
    await two.attachment.del();
  },
);

firewallTest(
  "F30: without a previous result the lease tells the addresses of the reference's rules",
  async (host) => {
    const one = await container(host, "c1");
    await referenceAdd([one.v4, one.v6]);
    await one.del();
    for (const lines of await rules(host)) expect(lines.filter((line) => / -[sd] /.test(line))).toEqual([]);
    await host.run("nft delete table ip filter; nft delete table ip6 filter");
    await one.attachment.del();
  },
);

firewallTest.each(["open", "isolated"])(
  "F36: 16 first ADDs at once write each shared rule once (%s)",
  async (host, policy) => {
    const containers: Firewall[] = [];
    for (let index = 0; index < 16; index++)
      containers.push(await container(host, `c${index}`, { ingressPolicy: policy }));
    await Promise.all(containers.map((each) => each.add()));
    const sorted = (lines: readonly string[]) => [...lines].sort();
    expect(sorted(await filterRules(host))).toEqual(
      sorted(
        layout(
          containers.map(({ v4 }) => v4),
          policy,
        ),
      ),
    );
    await Promise.all(containers.map((each) => each.del()));
    expect(await rules(host)).toEqual([[], []]);
    for (const each of containers) await each.attachment.del();
  },
);

describe("F35: a refused ADD changes nothing", () => {
  const CASES: readonly [keys: object, code: number, message: string][] = [
    [{ ingressPolicy: "zz" }, 7, 'unknown ingress policy: "zz"'],
    [{ backend: "zz" }, 7, '"iptables" or "nftables" or "firewalld"'],
    [{ iptablesAdminChainName: "A".repeat(29) }, 7, "chain name too long"],
    [{ iptablesAdminChainName: "A B" }, 7, "iptablesAdminChainName"],
    [{ iptablesAdminChainName: "CNI-FORWARD" }, 7, "this name has another meaning"],
    [{ prevResult: undefined }, 7, "missing prevResult from earlier plugin"],
    [{ cniVersion: "0.3.1" }, 1, "incompatible CNI versions"],
    [{ backend: "firewalld" }, 999, "cannot use firewalld"],
  ];

  firewallTest.each(CASES)("%p", async (host, keys, code, message) => {
    const one = await container(host, "c1", { ingressPolicy: "isolated" });
    await host.unchangedBy(async () => {
      const failure = await one.failure("ADD", keys);
      expect(failure.code).toBe(code);
      expect(failure.msg).toContain(message);
    });
    await one.attachment.del();
  });

  firewallTest("F38: the policy needs a bridge of the host", async (host) => {
    const one = await container(host, "c1", { ingressPolicy: "same-bridge" });
    const { result } = one.attachment;
    const { veth } = one.attachment;
    const previous = (interfaces: object[]) => ({ prevResult: { ...result, interfaces } });
    const index = { ...result.ips[0], interface: 0 };
    await host.unchangedBy(async () => {
      const ptp = await one.failure("ADD", {
        prevResult: { ...result, ips: [index], interfaces: [{ name: veth }] },
      });
      expect(ptp).toMatchObject({
        code: 7,
        msg: expect.stringContaining(`ingressPolicy needs a bridge: interfaces[0] "${veth}" is a veth`),
      });
      expect((await one.failure("ADD", previous([{ name: "nope" }]))).msg).toContain("does not exist");
      expect((await one.failure("ADD", previous([]))).msg).toContain(
        "interface needs to be set for ingress policy",
      );
    });
    await one.attachment.del();
  });
});

firewallTest(
  "F40: only the addresses of the attachment's interface count, and those without an index",
  async (host) => {
    const one = await container(host, "c1");
    const { result } = one.attachment;
    const interfaces = [...result.interfaces, { name: "net1", sandbox: "/x" }];
    const ips = [...result.ips, { address: "10.9.9.9/24", interface: 3 }, { address: "10.9.9.8/24" }];
    await one.add({ prevResult: { ...result, interfaces, ips } });
    expect(await filterRules(host)).toEqual(layout([one.v4, "10.9.9.8"]));
    await one.del();
    await one.attachment.del();
  },
);

firewallTest("F5: without addresses there is nothing to do", async (host) => {
  const one = await container(host, "c1", {}, { isGateway: true, ipam: hostLocal(V4) });
  const prevResult = { ...one.attachment.result, ips: [] };
  await host.unchangedBy(async () => {
    expect(await one.add({ prevResult })).toMatchObject({ interfaces: prevResult.interfaces });
    await one.check({ prevResult });
  });
  await one.attachment.del();
});

firewallTest("F20, F37: iptables need not be installed, and no program is run", async (host) => {
  const one = await container(host, "c1", { ingressPolicy: "same-bridge" });
  {
    await using programs = await Programs.replace();
    for (const variant of ["nft", "legacy"]) await programs.disable(`/usr/sbin/xtables-${variant}-multi`);
    expect((await outcomeOf("iptables -S")).exitCode).not.toBe(0);
    const trace = "/run/trace";
    const strace = ["strace", "-f", "-qq", "-e", "trace=execve,clone,clone3,fork,vfork", "-o", trace];
    expect((await one.call("ADD", {}, strace)).exitCode).toBe(0);
    expect((await host.run(`grep -c execve ${trace}; rm ${trace}`)).trim()).toBe("1");
  }
  expect(await rules(host)).toEqual([layout([one.v4], "same-bridge"), layout([one.v6], "same-bridge")]);
  await one.check();
  await one.del();
  await one.attachment.del();
});

test("F1: the versions", async () => {
  const { builtBinaries } = await import("../../support/plugin-call.ts");
  const { stdout } = await outcomeOf([`${builtBinaries()}/firewall`], {
    env: { CNI_COMMAND: "VERSION" },
    stdin: "",
  });
  expect(JSON.parse(stdout)).toEqual({ cniVersion: "1.1.0", supportedVersions: ["0.4.0", "1.0.0", "1.1.0"] });
});
