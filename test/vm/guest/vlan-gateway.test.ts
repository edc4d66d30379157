/** The gateway of a VLAN, `<bridge>.<vlan>`: made, shared, never mistaken (rules B16, B24, G20). */
import { expect, test } from "bun:test";
import {
  Attachment,
  addressesOn,
  attach,
  BRIDGE,
  hostLocal,
  IPAM_FILES,
  portsOf,
  prepare,
  shownLink,
  V4,
  V6,
} from "../../kernel/bridge/network.ts";
import { rows } from "../../support/rows.ts";
import { answers, describeOnHost, gatewayPort, reaches, unchanged, vlansOf } from "./vlan-network.ts";

const GATEWAY = `${BRIDGE}.10`;
const vlan10 = (keys: object = {}) => ({ vlan: 10, isGateway: true, ...keys });

/** Of "10.77.0.1/24" the first part. */
const bare = (address: string): string => address.split("/")[0] ?? "";

describeOnHost("the gateway of a VLAN", (host) => {
  const onGateway = () => addressesOn(host, GATEWAY);
  const end = async (...attachments: Attachment[]) => {
    for (const attachment of attachments) {
      await attachment.check();
      await attachment.del();
    }
  };

  // Ranges of the IPAM, and the gateway's addresses by that.
  test.each([
    ["IPv4", [V4], ["10.77.0.1/24"]],
    ["IPv6", [V6], ["fd77::1/64"]],
    ["dual-stack", [V4, V6], ["10.77.0.1/24", "fd77::1/64"]],
  ])("B16, B24: %s", async (_what, ranges, gateways) => {
    const config = vlan10({ isDefaultGateway: true, ipam: hostLocal(...ranges) });
    const one = await attach(host, "c1", config);
    const gateway = await shownLink(host, GATEWAY);
    const inner = await shownLink(one.namespace, "eth0");
    const port = await gatewayPort(host, GATEWAY);

    expect(one.result.interfaces).toEqual([
      { name: BRIDGE, mac: (await shownLink(host, BRIDGE)).address, mtu: 1500 },
      { name: expect.stringMatching(/^veth[0-9a-f]{8}$/), mac: expect.any(String), mtu: 1500 },
      { name: "eth0", mac: inner.address, mtu: 1500, sandbox: one.namespace.path },
      { name: GATEWAY, mac: gateway.address, mtu: 1500 },
    ]);
    expect(one.result.ips.map((ip) => [ip.interface, ip.gateway])).toEqual(
      gateways.map((address) => [2, bare(address)]),
    );
    expect(await onGateway()).toEqual(gateways);
    expect(await addressesOn(host, BRIDGE)).toEqual([]);
    expect(gateway).toMatchObject({ operstate: "UP", linkinfo: { info_kind: "veth" } });
    expect(await portsOf(host)).toContain(port);
    expect(await vlansOf(host, port)).toEqual(["10 pvid untagged"]);
    // K16: nor does the gateway take routes from a container that plays the router.
    for (const link of [port, GATEWAY])
      expect(await host.run(`cat /proc/sys/net/ipv6/conf/${link}/accept_ra`)).toBe("0\n");
    for (const address of gateways) expect(await reaches(one.namespace, bare(address))).toBe(true);

    // The second one finds it, changes nothing of it, and shares it.
    const two = await attach(host, "c2", config);
    expect(two.result.interfaces[3]).toEqual(one.result.interfaces[3]);
    expect(await shownLink(host, GATEWAY)).toEqual(gateway);
    expect(await onGateway()).toEqual(gateways);
    expect(await portsOf(host)).toHaveLength(3);
    const targets = Object.fromEntries(
      [...gateways, ...one.result.ips.map(({ address }) => address)].map((a) => [a, bare(a)]),
    );
    expect(await answers(two.namespace, targets)).toEqual(Object.keys(targets));
    // Either way: the host reaches the containers.
    for (const { address } of two.result.ips) await host.run(["ping", "-n", "-c1", "-W3", bare(address)]);

    await two.check();
    await end(one);
    expect(await answers(two.namespace, targets)).toEqual(gateways);
    await end(two);
    // It stays, as the bridge does.
    expect(await portsOf(host)).toEqual([port]);
  });

  test("B9: the default VLAN preserved on the gateway's port as well", async () => {
    const one = await attach(host, "c1", vlan10({ preserveDefaultVlan: true }));
    const vlans = ["1 untagged", "10 pvid untagged"];
    expect(await vlansOf(host, one.veth)).toEqual(vlans);
    expect(await vlansOf(host, await gatewayPort(host, GATEWAY))).toEqual(vlans);
    await end(one);
  });

  test("B15, B24: with a trunk, the gateway is of the access VLAN alone", async () => {
    const one = await attach(host, "c1", vlan10({ vlanTrunk: [{ id: 20 }] }));
    expect(await vlansOf(host, one.veth)).toEqual(["10 pvid untagged", "20"]);
    expect(await vlansOf(host, await gatewayPort(host, GATEWAY))).toEqual(["10 pvid untagged"]);
    expect(await reaches(one.namespace, "10.77.0.1")).toBe(true);
    await end(one);
  });

  test("B24: each VLAN has its own", async () => {
    const ten = await attach(host, "ten", vlan10());
    const twenty = await attach(
      host,
      "twenty",
      vlan10({ vlan: 20, ipam: hostLocal({ subnet: "10.78.0.0/24" }) }),
    );
    expect([await onGateway(), await addressesOn(host, `${BRIDGE}.20`)]).toEqual([
      ["10.77.0.1/24"],
      ["10.78.0.1/24"],
    ]);
    expect(await reaches(ten.namespace, "10.77.0.1")).toBe(true);
    expect(await reaches(twenty.namespace, "10.78.0.1")).toBe(true);
    await end(ten, twenty);
  });

  test.each([
    ["without isGateway", { vlan: 10 }],
    ["without IPAM", { vlan: 10, isGateway: true, ipam: {} }],
    ["for a trunk without an access VLAN", { isGateway: true, vlanTrunk: [{ id: 10 }] }],
  ])("B24: none %s", async (_what, keys) => {
    const one = await attach(host, "c1", keys);
    expect(one.result.interfaces).toHaveLength(3);
    expect(await host.run("ip -br link")).not.toContain(GATEWAY);
    await end(one);
  });

  test.each([
    ["the configuration", { mtu: 1400 }, "true"],
    ["the bridge that is there", {}, `ip link add ${BRIDGE} type bridge; ip link set ${BRIDGE} mtu 1400`],
  ])("B24: frames fit: the mtu is that of %s", async (_what, keys, before) => {
    await host.run(before);
    const one = await attach(host, "c1", vlan10(keys));
    expect(one.result.interfaces[3]).toMatchObject({ name: GATEWAY, mtu: 1400 });
    expect((await shownLink(host, await gatewayPort(host, GATEWAY))).mtu).toBe(1400);
    expect((await shownLink(host, BRIDGE)).mtu).toBe(1400);
    await one.del();
  });

  test("B25: another address on it is in the way, unless forceAddress says otherwise", async () => {
    const first = await attach(host, "c1", vlan10());
    const moved = hostLocal({ subnet: "10.79.0.0/24" });
    const second = await prepare(host, "c2", vlan10({ name: "other", ipam: moved }));
    const { msg } = await unchanged(host, () => second.failure("ADD"), [/^file \S*\b(networks\b|other)/]);
    expect(msg).toContain(
      `"${GATEWAY}" already has an IP address different from 10.79.0.1/24: it has 10.77.0.1/24`,
    );
    const forced = new Attachment(host, second.namespace, { ...second.config, forceAddress: true });
    await forced.add();
    expect(await onGateway()).toEqual(["10.79.0.1/24"]);
    await first.del();
    await forced.del();
    await host.run("rm -r /var/lib/cni/networks/other /var/lib/cni/networks/.bridgehead/other.*");
  });

  test("G20: twenty first containers at a time", async () => {
    const names = Array.from({ length: 20 }, (_, index) => `p${index + 1}`);
    const attachments: Attachment[] = [];
    for (const name of names)
      attachments.push(await prepare(host, name, vlan10({ ipam: hostLocal(V4, V6) })));
    const results = await Promise.all(attachments.map((attachment) => attachment.add()));
    expect(
      new Set(results.map(({ interfaces }) => JSON.stringify([interfaces[0], interfaces[3]]))).size,
    ).toBe(1);
    expect(new Set(results.flatMap(({ ips }) => ips.map(({ address }) => address))).size).toBe(40);
    expect(await onGateway()).toEqual(["10.77.0.1/24", "fd77::1/64"]);
    const ports = await portsOf(host);
    expect(ports).toEqual([...attachments.map(({ veth }) => veth), await gatewayPort(host, GATEWAY)].sort());
    // No pair that lost the race is left anywhere.
    expect((await host.run("ip -br link show type veth")).trim().split("\n")).toHaveLength(22);
    for (const port of ports) expect(await vlansOf(host, port)).toEqual(["10 pvid untagged"]);
    for (const attachment of attachments.slice(-2)) {
      expect(await reaches(attachment.namespace, "10.77.0.1")).toBe(true);
      await attachment.check();
    }
    await Promise.all(attachments.map((attachment) => attachment.del()));
    expect(await portsOf(host)).toHaveLength(1);
  });

  test.each(
    rows<[string, string]>(`
      a dummy => ip link add ${GATEWAY} type dummy
      a VLAN device of the bridge => ip link add link ${BRIDGE} name ${GATEWAY} type vlan id 10
      a veth that leads elsewhere => ip link add ${GATEWAY} type veth peer name other0
      a veth on another bridge => ip link add br1 type bridge; ip link add ${GATEWAY} type veth peer name other0; ip link set other0 master br1
      # Indexes count anew in each namespace: the same one is the veth's peer in there and a port of the bridge out here.
      a veth into a namespace, whose index there is a port's here => ip -n c1 link add eth9 index $(cat /sys/class/net/port0/ifindex) type veth peer name ${GATEWAY} netns 1
      a veth into a namespace => ip -n c1 link add eth9 index 4000 type veth peer name ${GATEWAY} netns 1
    `),
  )("B24: %s of that name is not taken for it", async (_what, making) => {
    await host.run(
      `ip link add ${BRIDGE} up type bridge vlan_filtering 1; ip link add port0 up type veth peer name port1; ip link set port1 up; ip link set port0 master ${BRIDGE}`,
    );
    const attachment = await prepare(host, "c1", vlan10());
    await host.run(making);
    expect(await unchanged(host, () => attachment.failure("ADD"), [IPAM_FILES])).toMatchObject({
      code: 7,
      msg: `interface "${GATEWAY}" exists but is not the VLAN gateway of bridge "${BRIDGE}": it is not a veth whose other end is on that bridge; remove or rename it`,
    });
    await host.run(`for link in ${GATEWAY} port0 other0; do ip link del $link 2>/dev/null; done; true`);
  });

  test("B24: a veth of that name onto the bridge is taken over and completed", async () => {
    await host.run(
      `ip link add ${BRIDGE} type bridge vlan_filtering 1; ip link add ${GATEWAY} type veth peer name gw0; ip link set gw0 master ${BRIDGE}`,
    );
    const one = await attach(host, "c1", vlan10());
    expect(await vlansOf(host, "gw0")).toEqual(["1 untagged", "10 pvid untagged"]);
    expect(await reaches(one.namespace, "10.77.0.1")).toBe(true);
    await end(one);
  });

  test("a bridge's name that leaves no room for the VLAN's", async () => {
    const config = vlan10({ bridge: "thirteen-long", vlan: 10 });
    const attachment = await prepare(host, "c1", config);
    expect(await unchanged(host, () => attachment.failure("ADD"))).toMatchObject({
      code: 7,
      msg: `the VLAN's gateway interface would be called "thirteen-long.10": it must have 1 to 15 bytes; shorten the bridge's name`,
    });
    // Fifteen are enough.
    const fitting = new Attachment(host, attachment.namespace, { ...config, bridge: "twelve-long0" });
    expect((await fitting.add()).interfaces[3]?.name).toBe("twelve-long0.10");
    await fitting.del();
  });
});
