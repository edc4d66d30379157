/** DEL: whatever is left of an attachment, any number of times, and whatever the namespace has become. */
import { describe, expect } from "bun:test";
import {
  Attachment,
  attach,
  hostLocal,
  IPAM_FILES,
  linkNames,
  networkTest,
  prepare,
  V4,
  V6,
} from "./network.ts";

const KEYS = { isGateway: true, ipMasq: true, ipam: hostLocal(V4, V6) };
const PATH = "/var/run/netns/c1";

/** What happens to the namespace, and what DEL gets as CNI_NETNS; undefined is the usual path. */
const NAMESPACES: readonly [string, string, string | undefined][] = [
  ["the namespace there", "true", undefined],
  ["CNI_NETNS empty", "true", ""],
  ["the namespace gone", "ip netns del c1", PATH],
  ["the namespace's file still there, no longer mounted", `umount ${PATH}`, PATH],
  ["a path of a process that is gone", "true", "/proc/4194304/ns/net"],
  ["the interface gone", "ip netns exec c1 ip link del eth0", undefined],
  ["the host's end gone from the bridge", "ip link del br0", undefined],
];

describe("DEL", () => {
  networkTest.each(NAMESPACES)(
    "A29-A31, B33, G5, G15: with %s, twice",
    async (host, _what, command, netns) => {
      // The first attachment makes what stays: the bridge, its addresses, the tables.
      await (await attach(host, "c0", KEYS)).del();
      const one = await prepare(host, "c1", KEYS);
      const mayDiffer = [IPAM_FILES, /^namespace c1/, /\bbr0\b/];
      await host.unchangedBy(async () => {
        await one.add();
        await host.run(command);
        await one.del(netns);
        await one.del(netns);
      }, mayDiffer);
      expect(await linkNames(host, "type veth")).toEqual([]);
    },
  );

  networkTest("A30: an attachment that never was", async (host) => {
    const one = await prepare(host, "c1", KEYS);
    await host.unchangedBy(() => one.del(), [IPAM_FILES]);
  });

  networkTest("an interface of that name that is no veth belongs to somebody else", async (host) => {
    const one = await prepare(host, "c1", KEYS);
    await one.namespace.run("ip link add eth0 type bridge");
    await one.del();
    expect(await one.interfaces()).toEqual(["eth0", "lo"]);
  });

  networkTest("other attachments are not disturbed", async (host) => {
    const first = await attach(host, "c1", KEYS);
    const sibling = new Attachment(host, first.namespace, KEYS, { ifname: "eth1" });
    await sibling.add();
    const second = await attach(host, "c2", KEYS);
    await first.del();
    await first.del("");
    await second.check();
    await sibling.check();
    await second.namespace.run("ping -c1 -W2 10.77.0.3");
    await second.del();
    await sibling.del();
  });

  networkTest("G5, G19: the host veth's name was somebody else's", async (host) => {
    const one = await attach(host, "c1", KEYS);
    const name = one.veth;
    await one.del();
    await host.run(`ip link add ${name} type veth peer name foreign0`);
    await one.add();
    expect(one.veth).not.toBe(name);
    await one.check();
    await one.del("");
    expect(await linkNames(host, "type veth")).toEqual(["foreign0", name]);
    await host.run("ip link del foreign0");
  });

  networkTest("A31, G14: goes on past errors and tells them all", async (host) => {
    const one = await attach(host, "c1", KEYS);
    const { msg } = await one.failure("DEL", { ipam: { type: "no-such-ipam" } });
    expect(msg).toContain('failed to find plugin "no-such-ipam"');
    expect(await linkNames(host, "type veth")).toEqual([]);
    expect(await host.run("iptables-save | grep -c 'CNI-[0-9a-f]' || true")).toBe("0\n");
    await one.del();
  });
});
