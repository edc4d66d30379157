/** ADD that can't be done: one clear error with the right code, and the host as before. */
import { describe, expect } from "bun:test";
import { rows } from "../../support/rows.ts";
import {
  Attachment,
  attach,
  BRIDGE,
  FULL_RANGE,
  hostLocal,
  IPAM_FILES,
  networkTest,
  prepare,
  V4,
} from "./network.ts";

/** A call that must fail with this code and message, and change nothing. */
async function refuses(
  one: Attachment,
  expected: { code?: number; msg: unknown },
  { command = "ADD", netns = undefined as string | undefined, mayDiffer = [] as RegExp[] } = {},
): Promise<void> {
  const links = await one.interfaces();
  const error = await one.host.unchangedBy(() => one.failure(command, {}, netns), mayDiffer);
  expect(error).toMatchObject(expected);
  expect(await one.interfaces()).toEqual(links);
}

const FAR_ROUTE = { ...hostLocal(V4), routes: [{ dst: "192.0.2.0/24", gw: "198.51.100.1" }] };

describe("ADD refuses and changes nothing", () => {
  const CASES = rows<[string, string, string, string]>(`
    B3: hairpin with promisc => {"hairpinMode": true, "promiscMode": true} => 7 => cannot set hairpin mode and promiscuous mode at the same time
    B4: IPAM with disableContainerInterface => {"disableContainerInterface": true} => 7 => cannot use IPAM when DisableContainerInterface flag is set
    B5: vlan out of range => {"vlan": 4095} => 7 => invalid vlan 4095 (must be between 0 and 4094)
    B6: half a range => {"vlanTrunk": [{"minID": 3}]} => 7 => maxID is missing (vlanTrunk[0])
    a bridge name that can't be => {"bridge": "much-too-long-name"} => 7 => is not a valid interface name
    a MAC that can't be => {"runtimeConfig": {"mac": "ff:ff:ff:ff:ff:ff"}} => 7 => invalid MAC address "ff:ff:ff:ff:ff:ff"
    an unknown backend => {"ipMasq": true, "ipMasqBackend": "pf"} => 7 => invalid ipMasqBackend "pf"
    a wrong type => {"isGateway": "yes"} => 6 => key "isGateway" must be true or false, not "yes"
    A43: an IPAM that is not there => {"ipam": {"type": "nope"}} => 999 => failed to find plugin "nope" in path [
    G10: a version that can't say it => {"cniVersion": "0.2.0", "ipam": {}} => 999 => cannot convert: no valid IP addresses
    an exhausted range => {"ipam": ${JSON.stringify(FULL_RANGE)}} => 999 => no IP addresses available in range set
    a route that can't be => {"ipam": ${JSON.stringify(FAR_ROUTE)}} => 7 => ipam.routes[0].gw: gateway 198.51.100.1 of the route to 192.0.2.0/24
    an mtu that can't be => {"mtu": 65536} => 7 => invalid mtu 65536
  `);

  networkTest.each(CASES)("%s", async (host, _what, keys, code, message) => {
    const error = { code: Number(code), msg: expect.stringContaining(message) };
    await refuses(await prepare(host, "c1", JSON.parse(keys)), error, { mayDiffer: [IPAM_FILES] });
  });

  networkTest("K19: a previous result that can't be read, before an address is taken", async (host) => {
    const error = { code: 6, msg: expect.stringContaining('"prevResult.ips" must be an array') };
    await refuses(await prepare(host, "c1", { prevResult: { ips: 5 } }), error);
  });

  networkTest("B1: a link of that name is no bridge", async (host) => {
    await host.run(`ip link add ${BRIDGE} type veth peer name other0`);
    const words = `"${BRIDGE}" already exists but is not a bridge: it is of kind "veth"`;
    await refuses(await prepare(host, "c1"), { msg: expect.stringContaining(words) });
    await host.run(`ip link del ${BRIDGE}`);
  });

  networkTest("A26: the container has the interface", async (host) => {
    const one = await attach(host, "c1");
    const message =
      /cannot add veth "eth0" in .*\/c1: an interface of that name already exists; DEL the attachment first/;
    await refuses(one, { msg: expect.stringMatching(message) });
    await one.del();
  });

  networkTest.each([
    ["nothing there", "/var/run/netns/nope"],
    ["a plain file", "/etc/hostname"],
    ["another kind of namespace", "/proc/self/ns/uts"],
    ["a process that is gone", "/proc/4194304/ns/net"],
  ])("G23: CNI_NETNS leads to %s", async (host, _what, netns) => {
    const msg = expect.stringContaining(`failed to open netns "${netns}"`);
    await refuses(await prepare(host, "c1"), { code: 8, msg }, { netns });
  });

  networkTest("A8: the host's own namespace", async (host) => {
    const one = await prepare(host, "c1");
    const msg = "plugin's netns and netns from CNI_NETNS should not be the same";
    for (const command of ["ADD", "DEL"])
      await refuses(one, { code: 8, msg }, { command, netns: "/proc/self/ns/net" });
  });

  networkTest("A4: an interface name that the kernel would expand", async (host) => {
    const one = await prepare(host, "c1", {}, { ifname: "eth%d" });
    await refuses(one, { code: 4, msg: 'invalid interface name "eth%d": "%" is a pattern to the kernel' });
  });

  networkTest("B25: another address on the bridge, unless forceAddress", async (host) => {
    const one = await attach(host, "c1", { isGateway: true });
    const keys = { isGateway: true, ipam: hostLocal({ subnet: "10.78.0.0/24" }) };
    const two = await prepare(host, "c2", keys);
    const words = `"${BRIDGE}" already has an IP address different from 10.78.0.1/24: it has 10.77.0.1/24; set "forceAddress": true`;
    await refuses(two, { msg: expect.stringContaining(words) }, { mayDiffer: [IPAM_FILES] });
    const forced = new Attachment(host, two.namespace, { ...keys, forceAddress: true });
    await forced.add();
    expect(await host.run(`ip -4 -br addr show ${BRIDGE}`)).toMatch(/UP +10\.78\.0\.1\/24 *\n/);
    await one.del();
    await forced.del();
  });

  networkTest(
    "G7, G21: a bridge that somebody made keeps its MAC and addresses when ADD fails",
    async (host) => {
      await host.run(
        `ip link add ${BRIDGE} type bridge; ip addr add 10.99.0.1/24 dev ${BRIDGE}; ip link set ${BRIDGE} up`,
      );
      const mac = () => host.run(`cat /sys/class/net/${BRIDGE}/address`);
      const before = await mac();
      await (await prepare(host, "c1", { isGateway: true })).failure("ADD");
      expect(await mac()).toBe(before);
      expect(await host.run(`ip -4 -br addr show ${BRIDGE}`)).toContain("10.99.0.1/24");
    },
  );

  networkTest(
    "B25: forceAddress replaces all IPv4 addresses, those that go with another as well",
    async (host) => {
      await host.run(
        `ip link add ${BRIDGE} type bridge; ip link set ${BRIDGE} up; for a in 98.0.1 99.0.1 98.0.2; do ip addr add 10.$a/24 dev ${BRIDGE}; done`,
      );
      const one = await attach(host, "c1", { isGateway: true, forceAddress: true });
      expect(await host.run(`ip -4 -br addr show ${BRIDGE}`)).toMatch(/ 10\.77\.0\.1\/24 *\n/);
      await one.del();
    },
  );
});
