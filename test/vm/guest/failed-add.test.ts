/** An ADD with VLANs that fails leaves nothing and takes nothing from others (G7, G8); DEL takes all of its own (B33). */
import { expect, test } from "bun:test";
import {
  Attachment,
  BRIDGE,
  configuration,
  hostLocal,
  IPAM_FILES,
  V4,
  V6,
} from "../../kernel/bridge/network.ts";
import { eventually } from "../../support/eventually.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import { expectUnchanged } from "../../support/state-difference.ts";
import { describeOnHost, portsOf, quietState, reaches } from "./vlan-network.ts";

const vlan10 = (keys: object = {}) =>
  configuration({ vlan: 10, vlanTrunk: [{ id: 20 }], isGateway: true, ...keys });

/** A configuration by which ADD fails as long as its very last step is locked. */
const LOCKED = { forceAddress: true };
const FORWARDING = "/proc/sys/net/ipv4/ip_forward";

/** Keys by which ADD fails before it begins, at the IPAM, and at its last step, and the error. */
const FAILURES: readonly [string, object, RegExp][] = [
  [
    "a route cannot be, before anything is made",
    { ipam: { ...hostLocal(V4), routes: [{ dst: "192.0.2.0/24", gw: "198.51.100.1" }] } },
    /^ipam\.routes\[0\]\.gw: gateway 198\.51\.100\.1 of the route to 192\.0\.2\.0\/24 is not in a network/,
  ],
  ["the IPAM is not there", { ipam: { type: "nope" } }, /failed to find plugin "nope"/],
  [
    "the IPAM is exhausted",
    { ipam: hostLocal({ ...V4, rangeStart: "10.77.0.1", rangeEnd: "10.77.0.1" }) },
    /no IP addresses available in range set/,
  ],
  [
    "the IPAM is exhausted after it gave one address",
    { ipam: hostLocal(V4, { ...V6, rangeStart: "fd77::1", rangeEnd: "fd77::1" }) },
    /no IP addresses available in range set: fd77::1-fd77::1/,
  ],
  [
    "forwarding cannot be turned on, after all else",
    LOCKED,
    /failed to enable forwarding: .*read-only file system/,
  ],
];

describeOnHost("an ADD with VLANs", (host) => {
  const lock = () =>
    host.run(
      `echo 0 > ${FORWARDING}; mount --bind ${FORWARDING} ${FORWARDING} && mount -o remount,ro,bind ${FORWARDING}`,
    );
  const unlock = () => host.run(`umount ${FORWARDING}; rm -rf /run/mount`);
  /** ADD that fails and changes nothing. */
  const failAndChangeNothing = async (attachment: Attachment, message: RegExp) => {
    const locked = "forceAddress" in attachment.config;
    if (locked) await lock();
    try {
      const before = await quietState(host);
      expect((await attachment.failure("ADD")).msg).toMatch(message);
      expectUnchanged(before, await quietState(host), [IPAM_FILES]);
      expect(await attachment.namespace.json("ip -j link")).toHaveLength(1);
    } finally {
      if (locked) await unlock();
    }
  };

  test.each([...FAILURES])("G7: %s: on a new bridge", async (_what, keys, message) => {
    const attachment = new Attachment(host, await host.addNamespace("c1"), vlan10(keys));
    await failAndChangeNothing(attachment, message);
    // And then it works.
    const sound = new Attachment(host, attachment.namespace, vlan10());
    await sound.check(await sound.add());
    await sound.del();
  });

  test.each([...FAILURES])("G7: %s: on a bridge with other VLANs", async (_what, keys, message) => {
    await host.run(`ip link add ${BRIDGE} up type bridge vlan_filtering 1`);
    const other = new Attachment(
      host,
      await host.addNamespace("c0"),
      configuration({ vlan: 30, isGateway: true, ipam: hostLocal({ subnet: "10.79.0.0/24" }) }),
    );
    const standing = await other.add();
    const attachment = new Attachment(host, await host.addNamespace("c1"), vlan10(keys));
    await failAndChangeNothing(attachment, message);
    await other.check(standing);
    await other.del();
  });

  test.each([...FAILURES])("G7: %s: beside a container of the same VLAN", async (_what, keys, message) => {
    const other = new Attachment(host, await host.addNamespace("c0"), vlan10());
    const standing = await other.add();
    const attachment = new Attachment(host, await host.addNamespace("c1"), vlan10(keys));
    await failAndChangeNothing(attachment, message);
    await other.check(standing);
    expect(await reaches(other.namespace, "10.77.0.1")).toBe(true);
    await other.del();
  });

  test("G7: a bridge that was down and did not filter is so again", async () => {
    await host.run(`ip link add ${BRIDGE} address 02:00:00:00:00:01 type bridge`);
    const shown = () =>
      host.json<{ linkinfo: { info_data: object } }[]>(`ip -d -j link show dev ${BRIDGE}`).then(([link]) => {
        const { flags, mtu, address, operstate, linkinfo } = Object.assign({}, link) as Record<
          string,
          unknown
        >;
        const { info_data } = linkinfo as { info_data: Record<string, unknown> };
        return { flags, mtu, address, operstate, filtering: info_data.vlan_filtering };
      });
    const before = await shown();
    const attachment = new Attachment(
      host,
      await host.addNamespace("c1"),
      vlan10({ ipam: { type: "nope" }, mtu: 9000, promiscMode: true }),
    );
    await attachment.failure("ADD");
    expect(await shown()).toEqual(before);
    expect(before).toMatchObject({ mtu: 1500, operstate: "DOWN", filtering: 0 });
  });

  test("G7: bridge, gateway and address stay for those who use them by then", async () => {
    const bad = new Attachment(
      host,
      await host.addNamespace("bad"),
      vlan10({ ipMasq: true, ipMasqBackend: "iptables" }),
    );
    const good = new Attachment(host, await host.addNamespace("good"), vlan10());
    // Its iptables waits, and fails then: the one that made all that is there fails after the other one is done.
    const iptables = `case "$*" in *version*) echo "iptables v1.8.9 (legacy)"; exit;; esac; until [ -e /run/go ]; do sleep 0.05; done; exit 1`;
    const variables = `CNI_COMMAND=ADD CNI_CONTAINERID=bad CNI_NETNS=${bad.namespace.path} CNI_IFNAME=eth0 CNI_PATH=${builtBinaries()}`;
    const script = [
      "mount -t tmpfs tmpfs /usr/local/sbin && cd /usr/local/sbin",
      `printf '%s\\n' '#!/bin/sh' '${iptables}' > iptables-restore && chmod 755 iptables-restore`,
      "cp iptables-restore iptables-legacy-restore",
      `env ${variables} ${builtBinaries()}/bridge`,
      "exit 0",
    ];
    const failing = host.run(["unshare", "--mount", "/bin/sh", "-c", script.join("; ")], {
      stdin: JSON.stringify(bad.config),
    });
    await eventually("the gateway is there", async () =>
      (await host.run("ip -br -4 addr")).includes("10.77.0.1/24"),
    );
    const result = await good.add();
    await host.run("touch /run/go");
    expect(JSON.parse(await failing)).toMatchObject({ code: 999, msg: expect.stringContaining("iptables") });
    await host.run("rm /run/go");

    expect(await bad.namespace.json("ip -j link")).toHaveLength(1);
    expect(await portsOf(host)).toHaveLength(2);
    await good.check(result);
    expect(await reaches(good.namespace, "10.77.0.1")).toBe(true);
    await good.del();
  });

  test("B33: DEL leaves bridge and gateway as they were, and nothing else", async () => {
    const first = new Attachment(host, await host.addNamespace("c0"), vlan10());
    await first.add();
    const before = await quietState(host);
    const ports = await portsOf(host);
    const second = new Attachment(host, await host.addNamespace("c1"), vlan10());
    await second.add();
    expect(await portsOf(host)).toHaveLength(ports.length + 1);
    await second.del();
    expectUnchanged(before, await quietState(host), [IPAM_FILES, /^namespace c1/]);
    await second.del();
    await first.del();
  });
});
