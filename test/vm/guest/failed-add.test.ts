/** An ADD with VLANs that fails leaves nothing and takes nothing from others (G7, G8); DEL takes all of its own (B33). */
import { expect, test } from "bun:test";
import {
  Attachment,
  attach,
  BRIDGE,
  FULL_RANGE,
  hostLocal,
  IPAM_FILES,
  portsOf,
  prepare,
  shownLink,
  V4,
  V6,
} from "../../kernel/bridge/network.ts";
import { eventually } from "../../support/eventually.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import { describeOnHost, reaches, unchanged } from "./vlan-network.ts";

const vlan10 = (keys: object = {}) => ({ vlan: 10, vlanTrunk: [{ id: 20 }], isGateway: true, ...keys });

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
  ["the IPAM is exhausted", { ipam: FULL_RANGE }, /no IP addresses available in range set/],
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
  const lock = `echo 0 > ${FORWARDING}; mount --bind ${FORWARDING} ${FORWARDING} && mount -o remount,ro,bind ${FORWARDING}`;
  const unlock = `umount ${FORWARDING}; rm -rf /run/mount`;
  /** An ADD of container c1 that fails and changes nothing. */
  const failAndChangeNothing = async (keys: object, message: RegExp) => {
    const one = await prepare(host, "c1", vlan10(keys));
    const locked = "forceAddress" in one.config;
    if (locked) await host.run(lock);
    try {
      const { msg } = await unchanged(host, () => one.failure("ADD"), [IPAM_FILES]);
      expect(msg).toMatch(message);
      expect(await one.interfaces()).toEqual(["lo"]);
    } finally {
      if (locked) await host.run(unlock);
    }
    return one;
  };

  test.each([...FAILURES])("G7: %s: on a new bridge", async (_what, keys, message) => {
    const { namespace } = await failAndChangeNothing(keys, message);
    // And then it works.
    const sound = new Attachment(host, namespace, vlan10());
    await sound.add();
    await sound.check();
    await sound.del();
  });

  test.each([...FAILURES])("G7: %s: on a bridge with other VLANs", async (_what, keys, message) => {
    await host.run(`ip link add ${BRIDGE} up type bridge vlan_filtering 1`);
    const ipam = hostLocal({ subnet: "10.79.0.0/24" });
    const other = await attach(host, "c0", { vlan: 30, isGateway: true, ipam });
    await failAndChangeNothing(keys, message);
    await other.check();
    await other.del();
  });

  test.each([...FAILURES])("G7: %s: beside a container of the same VLAN", async (_what, keys, message) => {
    const other = await attach(host, "c0", vlan10());
    await failAndChangeNothing(keys, message);
    await other.check();
    expect(await reaches(other.namespace, "10.77.0.1")).toBe(true);
    await other.del();
  });

  test("G7: a bridge that was down and did not filter is so again", async () => {
    await host.run(`ip link add ${BRIDGE} address 02:00:00:00:00:01 type bridge`);
    const shown = async () => {
      const { flags, mtu, address, operstate, linkinfo } = await shownLink(host, BRIDGE);
      return { flags, mtu, address, operstate, filtering: linkinfo?.info_data?.vlan_filtering };
    };
    const before = await shown();
    const keys = vlan10({ ipam: { type: "nope" }, mtu: 9000, promiscMode: true });
    await (await prepare(host, "c1", keys)).failure("ADD");
    expect(await shown()).toEqual(before);
    expect(before).toMatchObject({ mtu: 1500, operstate: "DOWN", filtering: 0 });
  });

  test("G7: bridge, gateway and address stay for those who use them by then", async () => {
    const bad = await prepare(host, "bad", vlan10({ ipMasq: true, ipMasqBackend: "iptables" }));
    const good = await prepare(host, "good", vlan10());
    // Its iptables waits, and fails then: the one that made all that is there fails after the other one is done.
    using programs = new ProgramFolder();
    for (const name of ["iptables-restore", "iptables-legacy-restore"])
      programs.script(
        name,
        `case "$*" in *version*) echo "iptables v1.8.9 (legacy)"; exit;; esac; until [ -e /run/go ]; do sleep 0.05; done; exit 1`,
      );
    const script = `mount --bind ${programs.path} /usr/local/sbin && exec "$@"`;
    const failing = bad.callUnder(["unshare", "--mount", "/bin/sh", "-c", script, "sh"], bad.request("ADD"));
    await eventually("the gateway is there", async () =>
      (await host.run("ip -br -4 addr")).includes("10.77.0.1/24"),
    );
    await good.add();
    await host.run("touch /run/go");
    expect((await failing).json()).toMatchObject({ code: 999, msg: expect.stringContaining("iptables") });
    await host.run("rm /run/go");

    expect(await bad.interfaces()).toEqual(["lo"]);
    expect(await portsOf(host)).toHaveLength(2);
    await good.check();
    expect(await reaches(good.namespace, "10.77.0.1")).toBe(true);
    await good.del();
  });

  test("B33: DEL leaves bridge and gateway as they were, and nothing else", async () => {
    const first = await attach(host, "c0", vlan10());
    const ports = await portsOf(host);
    await unchanged(host, async () => {
      const second = await attach(host, "c1", vlan10());
      expect(await portsOf(host)).toHaveLength(ports.length + 1);
      await second.del();
      await second.del();
    }, [IPAM_FILES, /^namespace c1/]);
    await first.del();
  });
});
