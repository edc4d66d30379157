/**
 * ipMasq on a kernel where iptables-legacy is all that works, with the built plugin and with packets: what leaves the
 * host has the host's address (B27, B28).
 */
import { expect, test } from "bun:test";
import { BRIDGE, hostLocal, prepare, V4, V6 } from "../../kernel/bridge/network.ts";
import { describeOnHost, reaches } from "./vlan-network.ts";

/** The world outside: it knows the host, and no way to the containers. */
const OUTSIDE = { host4: "192.0.2.1", host6: "2001:db8::1", world4: "192.0.2.2", world6: "2001:db8::2" };

describeOnHost("masquerading with iptables-legacy", (host) => {
  test.each([
    ["the default backend, on the bridge", {}],
    ["ipMasqBackend iptables, in a VLAN", { ipMasqBackend: "iptables", vlan: 10 }],
  ])("B27, B28: %s", async (_what, keys) => {
    const outside = await host.addNamespace("outside");
    await host.run(
      `ip link add up0 type veth peer name eth0 netns outside; ip link set up0 up; ip addr add ${OUTSIDE.host4}/24 dev up0; ip addr add ${OUTSIDE.host6}/64 dev up0 nodad`,
    );
    await outside.run(
      `ip link set eth0 up; ip addr add ${OUTSIDE.world4}/24 dev eth0; ip addr add ${OUTSIDE.world6}/64 dev eth0 nodad`,
    );
    const ipam = { ...hostLocal(V4, V6), routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] };
    const config = { isGateway: true, ipam, ...keys };
    const plain = await prepare(host, "c1", config);
    const masked = await prepare(host, "c2", { ...config, ipMasq: true });
    await plain.add();
    const before = await legacyRules();
    await masked.add();

    const targets = [OUTSIDE.world4, OUTSIDE.world6];
    // Its echoes go out, and nobody knows the way back.
    for (const target of targets) expect(await reaches(plain.namespace, target, 1)).toBe(false);
    for (const target of targets) expect(await reaches(masked.namespace, target)).toBe(true);
    await masked.check();

    // A firewall's reload loses the rules: packets tell, and so does CHECK.
    await host.run("iptables-legacy -t nat -F POSTROUTING");
    expect(await reaches(masked.namespace, OUTSIDE.world4, 1)).toBe(false);
    expect(await masked.loss()).toMatch(/masquerade.*iptables/);
    await masked.del();
    expect(await legacyRules()).toEqual(before);
    await plain.del();
    await host.run(`ip link del up0; ip link del ${BRIDGE}.10 2>/dev/null; ip link del ${BRIDGE}`);
  });

  const legacyRules = () =>
    host.run("iptables-legacy-save -t nat; ip6tables-legacy-save -t nat").then((text) =>
      text
        .replaceAll(/\[\d+:\d+\]/g, "")
        .split("\n")
        .filter((line) => /^[-:]/.test(line)),
    );
});
