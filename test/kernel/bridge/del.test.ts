/** DEL: whatever is left of an attachment, any number of times, and whatever the namespace has become. */
import { describe, expect, test } from "bun:test";
import { expectUnchanged } from "../../support/state-difference.ts";
import { Attachment, configuration, hostLocal, IPAM_FILES, V4, V6, withNetwork } from "./network.ts";

const CONFIG = configuration({ isGateway: true, ipMasq: true, ipam: hostLocal(V4, V6) });

/** Makes the namespace what the case says, and gives what DEL gets as CNI_NETNS; undefined is the usual path. */
type Prepare = (path: string, run: (command: string) => Promise<string>) => Promise<string | undefined>;

const NAMESPACES: readonly [string, Prepare][] = [
  ["the namespace there", async () => undefined],
  ["CNI_NETNS empty", async () => ""],
  [
    "the namespace gone",
    async (path, run) => {
      await run("ip netns del c1");
      return path;
    },
  ],
  [
    "the namespace's file still there, no longer mounted",
    async (path, run) => {
      await run(`umount ${path}`);
      return path;
    },
  ],
  ["a path of a process that is gone", async () => "/proc/4194304/ns/net"],
  [
    "the interface gone",
    async (_path, run) => {
      await run("ip netns exec c1 ip link del eth0");
      return undefined;
    },
  ],
  [
    "the host's end gone from the bridge",
    async (_path, run) => {
      await run("ip link del br0");
      return undefined;
    },
  ],
];

describe("DEL", () => {
  test.each([...NAMESPACES])("A29-A31, B33, G5, G15: with %s, twice", (_what, prepare) =>
    withNetwork(async (host) => {
      // The first attachment makes what stays: the bridge, its addresses, the tables.
      const first = new Attachment(host, await host.addNamespace("c0"), CONFIG);
      await first.add();
      await first.del();
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(host, container, CONFIG);
      const before = await host.state();
      await attachment.add();
      const netns = await prepare(container.path, (command) => host.run(command));
      await attachment.del(netns);
      await attachment.del(netns);
      expectUnchanged(before, await host.state(), [IPAM_FILES, /^namespace c1/, /\bbr0\b/]);
      expect(await host.run("ip -br link show type veth")).toBe("");
    }),
  );

  test("A30: an attachment that never was", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), CONFIG);
      const before = await host.state();
      await attachment.del();
      expectUnchanged(before, await host.state(), [IPAM_FILES]);
    }));

  test("an interface of that name that is no veth belongs to somebody else", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      await container.run("ip link add eth0 type bridge");
      await new Attachment(host, container, CONFIG).del();
      expect(await container.json("ip -j link show dev eth0")).toHaveLength(1);
    }));

  test("other attachments are not disturbed", () =>
    withNetwork(async (host) => {
      const [one, two] = [await host.addNamespace("c1"), await host.addNamespace("c2")];
      const first = new Attachment(host, one, CONFIG);
      const sibling = new Attachment(host, one, CONFIG, { ifname: "eth1" });
      const second = new Attachment(host, two, CONFIG);
      await first.add();
      const siblingResult = await sibling.add();
      const result = await second.add();
      await first.del();
      await first.del("");
      await second.check(result);
      await sibling.check(siblingResult);
      await two.run("ping -c1 -W2 10.77.0.3");
      await second.del();
      await sibling.del();
    }));

  test("G5, G19: the host veth's name was somebody else's", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), CONFIG);
      const name = (await attachment.add()).interfaces[1]?.name ?? "";
      await attachment.del();
      await host.run(`ip link add ${name} type veth peer name foreign0`);
      const result = await attachment.add();
      expect(result.interfaces[1]?.name).not.toBe(name);
      await attachment.check(result);
      await attachment.del("");
      expect((await host.run("ip -br link show type veth")).match(/^\S+?(?=@)/gm)).toEqual([
        "foreign0",
        name,
      ]);
      await host.run("ip link del foreign0");
    }));

  test("A31, G14: goes on past errors and tells them all", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), CONFIG);
      await attachment.add();
      const error = await attachment.failure("DEL", { ipam: { type: "no-such-ipam" } });
      expect(error.msg).toContain('failed to find plugin "no-such-ipam"');
      expect(await host.run("ip -br link show type veth")).toBe("");
      expect(await host.run("iptables-save | grep -c 'CNI-[0-9a-f]' || true")).toBe("0\n");
      await attachment.del();
    }));
});
