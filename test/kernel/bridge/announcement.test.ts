/**
 * K17: an address that had another owner before works at once. What the other containers of the bridge remember of it
 * is put right by ADD's announcement, in IPv6 as in IPv4, without a packet of theirs.
 */
import { describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import type { NamedNamespace } from "../../support/scratch-host.ts";
import { Attachment, configuration, hostLocal, shownLink, V4, V6, withNetwork } from "./network.ts";

const ADDRESSES = ["10.77.0.9", "fd77::9"];

/** The hardware address that a container remembers of a neighbour, as `ip neigh` shows it. */
async function remembered(peer: NamedNamespace, address: string): Promise<string | undefined> {
  const entries = await peer.json<{ dst: string; lladdr?: string }[]>("ip -j neigh");
  return entries.find(({ dst }) => dst === address)?.lladdr;
}

const answers = (from: NamedNamespace, address: string) =>
  from.run(["ping", "-n", "-c1", "-W1", address]).then(
    () => true,
    () => false,
  );

const CASES: readonly [string, object, string][] = [
  ["a plain network", {}, ""],
  ["with detection of duplicate addresses", { enabledad: true }, ""],
  [
    "with a gateway, hairpin and a check of MAC addresses",
    { isGateway: true, hairpinMode: true, macspoofchk: true },
    "",
  ],
  // The kernel's own announcement, when the interface comes up, does not pass the port.
  ["behind ports that listen at first (K20)", {}, "stp_state 1 forward_delay 200"],
];

describe("K17: an address that is used again", () => {
  test.each([...CASES])("peers know its new owner: %s", (_what, keys, bridge) =>
    withNetwork(async (host) => {
      if (bridge !== "") await host.run(`ip link add br0 type bridge ${bridge}`);
      const attach = async (name: string, ips: string[]) => {
        const config = configuration({ ...keys, ipam: hostLocal(V4, V6), args: { cni: { ips } } });
        const attachment = new Attachment(host, await host.addNamespace(name), config);
        await attachment.add();
        const { address: mac } = await shownLink(attachment.namespace, "eth0");
        return { attachment, mac };
      };
      const { attachment: peer } = await attach("peer", []);
      const known = async (mac: string) => {
        for (const address of ADDRESSES) {
          await eventually(
            `${address} at ${mac}`,
            async () => (await remembered(peer.namespace, address)) === mac,
            {
              state: () => peer.namespace.run("ip neigh"),
            },
          );
        }
      };
      const first = await attach("first", ADDRESSES);
      for (const address of ADDRESSES)
        await eventually(`an answer of ${address}`, () => answers(peer.namespace, address));
      await known(first.mac);
      await first.attachment.del();
      const second = await attach("second", ADDRESSES);
      expect(second.mac).not.toBe(first.mac);
      await known(second.mac);
      for (const address of ADDRESSES) await peer.namespace.run(["ping", "-n", "-c1", "-W3", address]);
      await second.attachment.del();
      await peer.del();
    }),
  );

  test("peers know the gateway's interface when the gateway gets an address that a container had", () =>
    withNetwork(async (host) => {
      const gateways = [
        { ...V4, gateway: "10.77.0.9" },
        { ...V6, gateway: "fd77::9" },
      ];
      const plain = configuration({ ipam: hostLocal(V4, V6) });
      const peer = new Attachment(host, await host.addNamespace("peer"), plain);
      await peer.add();
      const first = new Attachment(host, await host.addNamespace("first"), {
        ...plain,
        args: { cni: { ips: ADDRESSES } },
      });
      await first.add();
      for (const address of ADDRESSES)
        await eventually(`an answer of ${address}`, () => answers(peer.namespace, address));
      await first.del();
      const keys = { isGateway: true, ipam: hostLocal(...gateways) };
      const second = new Attachment(host, await host.addNamespace("second"), configuration(keys));
      await second.add();
      const { address: mac } = await shownLink(host, "br0");
      for (const address of ADDRESSES)
        await eventually(
          `${address} at ${mac}`,
          async () => (await remembered(peer.namespace, address)) === mac,
        );
      await second.del();
      await peer.del();
    }));

  test("G25: the host forgets what it knew of the address", () =>
    withNetwork(async (host) => {
      const config = configuration({ isGateway: true, ipam: hostLocal(V4, V6) });
      // The first one brings the gateway's addresses, with which the kernel forgets all neighbours.
      const first = new Attachment(host, await host.addNamespace("first"), config);
      await first.add();
      for (const address of ADDRESSES)
        await host.run(`ip neigh replace ${address} lladdr 02:00:5e:00:00:01 dev br0 nud permanent`);
      const args = { cni: { ips: ADDRESSES } };
      const second = new Attachment(host, await host.addNamespace("second"), { ...config, args });
      await second.add();
      const entries = await host.json<{ lladdr?: string }[]>("ip -j neigh show dev br0");
      expect(entries.filter(({ lladdr }) => lladdr === "02:00:5e:00:00:01")).toEqual([]);
      for (const address of ADDRESSES) await host.run(["ping", "-n", "-c1", "-W3", address]);
      await second.del();
      await first.del();
    }));
});
