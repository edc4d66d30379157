/** ADD that can't be done: one clear error with the right code, and the host as before. */
import { describe, expect, test } from "bun:test";
import { expectUnchanged } from "../../support/state-difference.ts";
import { Attachment, BRIDGE, configuration, hostLocal, IPAM_FILES, V4, withNetwork } from "./network.ts";

describe("ADD refuses and changes nothing", () => {
  const CASES: readonly [string, object, number, RegExp][] = [
    [
      "B3: hairpin with promisc",
      { hairpinMode: true, promiscMode: true },
      7,
      /cannot set hairpin mode and promiscuous mode at the same time/,
    ],
    [
      "B4: IPAM with disableContainerInterface",
      { disableContainerInterface: true },
      7,
      /cannot use IPAM when DisableContainerInterface flag is set/,
    ],
    ["B5: vlan out of range", { vlan: 4095 }, 7, /invalid VLAN ID 4095 \(must be between 0 and 4094\)/],
    ["B6: half a range", { vlanTrunk: [{ minID: 3 }] }, 7, /maxID is missing \(vlanTrunk\[0\]\)/],
    ["a bridge name that can't be", { bridge: "much-too-long-name" }, 7, /is not a valid interface name/],
    [
      "a MAC that can't be",
      { runtimeConfig: { mac: "ff:ff:ff:ff:ff:ff" } },
      7,
      /invalid MAC address "ff:ff:ff:ff:ff:ff"/,
    ],
    ["an unknown backend", { ipMasq: true, ipMasqBackend: "pf" }, 7, /unknown ipmasq backend "pf"/],
    ["a wrong type", { isGateway: "yes" }, 6, /key "isGateway" must be true or false, not "yes"/],
    [
      "A43: an IPAM that is not there",
      { ipam: { type: "nope" } },
      999,
      /failed to find plugin "nope" in path \[/,
    ],
    [
      "G10: a version that can't say it",
      { cniVersion: "0.2.0", ipam: {} },
      999,
      /cannot convert: no valid IP addresses/,
    ],
    [
      "an exhausted range",
      { ipam: hostLocal({ ...V4, rangeStart: "10.77.0.1", rangeEnd: "10.77.0.1" }) },
      999,
      /no IP addresses available in range set/,
    ],
    [
      "a route that can't be",
      { ipam: { ...hostLocal(V4), routes: [{ dst: "192.0.2.0/24", gw: "198.51.100.1" }] } },
      7,
      /ipam\.routes\[0\]\.gw: gateway 198\.51\.100\.1 of the route to 192\.0\.2\.0\/24/,
    ],
    ["an mtu that can't be", { mtu: 65536 }, 7, /invalid mtu 65536/],
  ];

  test.each([...CASES])("%s", (_what, keys, code, message) =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), configuration(keys));
      const before = await host.state();
      const error = await attachment.failure("ADD");
      expect({ code: error.code, msg: error.msg }).toEqual({ code, msg: expect.stringMatching(message) });
      expectUnchanged(before, await host.state(), [IPAM_FILES]);
      expect(await attachment.namespace.json("ip -j link")).toHaveLength(1);
    }),
  );

  test("B1: a link of that name is no bridge", () =>
    withNetwork(async (host) => {
      await host.run(`ip link add ${BRIDGE} type veth peer name other0`);
      const attachment = new Attachment(host, await host.addNamespace("c1"), configuration());
      const before = await host.state();
      expect((await attachment.failure("ADD")).msg).toContain(
        `"${BRIDGE}" already exists but is not a bridge: it is of kind "veth"`,
      );
      expectUnchanged(before, await host.state());
      await host.run(`ip link del ${BRIDGE}`);
    }));

  test("A26: the container has the interface", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(host, container, configuration());
      await attachment.add();
      const before = await host.state();
      const error = await attachment.failure("ADD");
      expect(error.msg).toMatch(
        /cannot add veth "eth0" in .*\/c1: an interface of that name already exists; DEL the attachment first/,
      );
      expectUnchanged(before, await host.state());
      await attachment.del();
    }));

  test.each([
    ["nothing there", "/var/run/netns/nope"],
    ["a plain file", "/etc/hostname"],
    ["another kind of namespace", "/proc/self/ns/uts"],
    ["a process that is gone", "/proc/4194304/ns/net"],
  ])("G23: CNI_NETNS leads to %s", (_what, path) =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), configuration());
      const before = await host.state();
      const error = await attachment.failure("ADD", {}, path);
      expect({ code: error.code, msg: error.msg }).toEqual({
        code: 8,
        msg: expect.stringContaining(`failed to open netns "${path}"`),
      });
      expectUnchanged(before, await host.state());
    }),
  );

  test("A8: the host's own namespace", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), configuration());
      const before = await host.state();
      for (const command of ["ADD", "DEL"]) {
        const error = await attachment.failure(command, {}, "/proc/self/ns/net");
        expect({ code: error.code, msg: error.msg }).toEqual({
          code: 8,
          msg: "plugin's netns and netns from CNI_NETNS should not be the same",
        });
      }
      expectUnchanged(before, await host.state());
    }));

  test("A4: an interface name that the kernel would expand", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), configuration(), {
        ifname: "eth%d",
      });
      const before = await host.state();
      const error = await attachment.failure("ADD");
      expect({ code: error.code, msg: error.msg }).toEqual({
        code: 4,
        msg: 'invalid interface name "eth%d": "%" is a pattern to the kernel',
      });
      expectUnchanged(before, await host.state());
    }));

  test("B25: another address on the bridge, unless forceAddress", () =>
    withNetwork(async (host) => {
      const [first, second] = [await host.addNamespace("c1"), await host.addNamespace("c2")];
      const one = new Attachment(host, first, configuration({ isGateway: true }));
      await one.add();
      const before = await host.state();
      const ipam = hostLocal({ subnet: "10.78.0.0/24" });
      const two = new Attachment(host, second, configuration({ isGateway: true, ipam }));
      const error = await two.failure("ADD");
      expect(error.msg).toContain(
        `"${BRIDGE}" already has an IP address different from 10.78.0.1/24: it has 10.77.0.1/24; set "forceAddress": true`,
      );
      expectUnchanged(before, await host.state(), [IPAM_FILES]);
      const forced = new Attachment(
        host,
        second,
        configuration({ isGateway: true, forceAddress: true, ipam }),
      );
      await forced.add();
      expect(await host.run(`ip -4 -br addr show ${BRIDGE}`)).toMatch(/UP +10\.78\.0\.1\/24 *\n/);
      await one.del();
      await forced.del();
    }));

  test("G7, G21: a bridge that somebody made keeps its MAC and addresses when ADD fails", () =>
    withNetwork(async (host) => {
      await host.run(
        `ip link add ${BRIDGE} type bridge; ip addr add 10.99.0.1/24 dev ${BRIDGE}; ip link set ${BRIDGE} up`,
      );
      const container = await host.addNamespace("c1");
      const mac = () => host.run(`cat /sys/class/net/${BRIDGE}/address`);
      const before = await mac();
      await new Attachment(host, container, configuration({ isGateway: true })).failure("ADD");
      expect(await mac()).toBe(before);
      expect(await host.run(`ip -4 -br addr show ${BRIDGE}`)).toContain("10.99.0.1/24");
    }));

  test("B25: forceAddress replaces all IPv4 addresses, those that go with another as well", () =>
    withNetwork(async (host) => {
      await host.run(
        `ip link add ${BRIDGE} type bridge; ip link set ${BRIDGE} up; for a in 98.0.1 99.0.1 98.0.2; do ip addr add 10.$a/24 dev ${BRIDGE}; done`,
      );
      const attachment = new Attachment(
        host,
        await host.addNamespace("c1"),
        configuration({ isGateway: true, forceAddress: true }),
      );
      await attachment.add();
      expect(await host.run(`ip -4 -br addr show ${BRIDGE}`)).toMatch(/ 10\.77\.0\.1\/24 *\n/);
      await attachment.del();
    }));
});
