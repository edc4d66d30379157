/**
 * K17: an address that had another owner before works at once. What the other containers of the bridge remember of it
 * is put right by ADD's announcement, in IPv6 as in IPv4, without a packet of theirs.
 */
import { describe, expect } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import type { NamedNamespace } from "../../support/scratch-host.ts";
import { attach, hostLocal, networkTest, shownLink, V4, V6 } from "./network.ts";

const ADDRESSES = ["10.77.0.9", "fd77::9"];
const IPAM = { ipam: hostLocal(V4, V6) };
const NAMED = { ...IPAM, args: { cni: { ips: ADDRESSES } } };

const ping = (from: Pick<NamedNamespace, "run">, address: string, seconds: number) =>
  from.run(["ping", "-n", "-c1", `-W${seconds}`, address]);

/** Waits until a container has an answer of each address. */
async function answered(from: NamedNamespace): Promise<void> {
  for (const address of ADDRESSES)
    await eventually(`an answer of ${address}`, () =>
      ping(from, address, 1).then(
        () => true,
        () => false,
      ),
    );
}

/** Waits until a container remembers the hardware address for each address, as `ip neigh` shows it. */
async function remembered(from: NamedNamespace, mac: string): Promise<void> {
  for (const address of ADDRESSES) {
    const look = async () => {
      const entries = await from.json<{ dst: string; lladdr?: string }[]>("ip -j neigh");
      return entries.find(({ dst }) => dst === address)?.lladdr === mac;
    };
    await eventually(`${address} at ${mac}`, look, { state: () => from.run("ip neigh") });
  }
}

describe("K17: an address that is used again", () => {
  networkTest.each([
    ["a plain network", {}, ""],
    ["with detection of duplicate addresses", { enabledad: true }, ""],
    [
      "with a gateway, hairpin and a check of MAC addresses",
      { isGateway: true, hairpinMode: true, macspoofchk: true },
      "",
    ],
    // The kernel's own announcement, when the interface comes up, does not pass the port.
    ["behind ports that listen at first (K20)", {}, "stp_state 1 forward_delay 200"],
  ])("peers know its new owner: %s", async (host, _what, keys, bridge) => {
    if (bridge !== "") await host.run(`ip link add br0 type bridge ${bridge}`);
    const peer = await attach(host, "peer", { ...keys, ...IPAM });
    const from = peer.namespace;
    const first = await attach(host, "first", { ...keys, ...NAMED });
    const { address: old } = await shownLink(first.namespace, "eth0");
    await answered(from);
    await remembered(from, old);
    await first.del();
    const second = await attach(host, "second", { ...keys, ...NAMED });
    const { address: mac } = await shownLink(second.namespace, "eth0");
    expect(mac).not.toBe(old);
    await remembered(from, mac);
    for (const address of ADDRESSES) await ping(from, address, 3);
    await second.del();
    await peer.del();
  });

  networkTest(
    "peers know the gateway's interface when the gateway gets an address that a container had",
    async (host) => {
      const peer = await attach(host, "peer", IPAM);
      const first = await attach(host, "first", NAMED);
      await answered(peer.namespace);
      await first.del();
      const ipam = hostLocal({ ...V4, gateway: "10.77.0.9" }, { ...V6, gateway: "fd77::9" });
      const second = await attach(host, "second", { isGateway: true, ipam });
      await remembered(peer.namespace, (await shownLink(host, "br0")).address);
      await second.del();
      await peer.del();
    },
  );

  networkTest("G25: the host forgets what it knew of the address", async (host) => {
    // The first one brings the gateway's addresses, with which the kernel forgets all neighbours.
    const first = await attach(host, "first", { ...IPAM, isGateway: true });
    for (const address of ADDRESSES)
      await host.run(`ip neigh replace ${address} lladdr 02:00:5e:00:00:01 dev br0 nud permanent`);
    const second = await attach(host, "second", { ...NAMED, isGateway: true });
    const entries = await host.json<{ lladdr?: string }[]>("ip -j neigh show dev br0");
    expect(entries.filter(({ lladdr }) => lladdr === "02:00:5e:00:00:01")).toEqual([]);
    for (const address of ADDRESSES) await ping(host, address, 3);
    await second.del();
    await first.del();
  });
});
