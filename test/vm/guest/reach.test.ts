/** Who reaches whom: packets decide. All containers of a test are on one bridge and, but for VLANs, one segment. */
import { expect, test } from "bun:test";
import { type Attachment, attach } from "../../kernel/bridge/network.ts";
import type { NamedNamespace } from "../../support/scratch-host.ts";
import { answers, describeOnHost, layer2 } from "./vlan-network.ts";

const addressOf = ({ result }: Attachment) => result.ips[0]?.address.split("/")[0] ?? "";

describeOnHost("VLANs separate", (host) => {
  test("B9, B15: containers of one VLAN reach each other and nobody else", async () => {
    const keys = {
      ten: { vlan: 10 },
      alsoTen: { vlan: 10 },
      twenty: { vlan: 20 },
      alsoTwenty: { vlan: 20 },
      one: { vlan: 1 },
      // A bridge that filters gives its default VLAN to whoever asks for none.
      none: {},
    };
    const all: Record<string, Attachment> = {};
    const addresses: Record<string, string> = {};
    for (const [name, vlan] of Object.entries(keys)) {
      const one = await attach(host, name, vlan);
      all[name] = one;
      addresses[name] = addressOf(one);
    }
    // One range of addresses for all: only the VLAN is between them.
    expect(new Set(Object.values(addresses)).size).toBe(6);
    const seen: Record<string, string[]> = {};
    for (const [name, { namespace }] of Object.entries(all)) seen[name] = await answers(namespace, addresses);
    expect(seen).toEqual({
      ten: ["ten", "alsoTen"],
      alsoTen: ["ten", "alsoTen"],
      twenty: ["twenty", "alsoTwenty"],
      alsoTwenty: ["twenty", "alsoTwenty"],
      one: ["one", "none"],
      none: ["one", "none"],
    });
    for (const one of Object.values(all)) await one.del();
  });

  test("B15: a trunk's frames are tagged, the access VLAN's are not", async () => {
    const withAddresses = async (name: string, keys: object, addresses: Readonly<Record<string, string>>) => {
      const one = await attach(host, name, layer2(keys));
      for (const [link, address] of Object.entries(addresses))
        await giveAddress(one.namespace, link, address);
      return one;
    };
    const ten = await withAddresses("ten", { vlan: 10 }, { eth0: "10.0.10.1" });
    const twenty = await withAddresses("twenty", { vlan: 20 }, { eth0: "10.0.20.1" });
    const thirty = await withAddresses("thirty", { vlan: 30 }, { eth0: "10.0.30.1" });
    const native = await withAddresses("native", { vlan: 1 }, { eth0: "10.0.1.1" });
    const trunk = await withAddresses(
      "trunk",
      { vlanTrunk: [{ id: 10 }, { minID: 20, maxID: 21 }] },
      { eth0: "10.0.1.2", "eth0.10": "10.0.10.2", "eth0.20": "10.0.20.2", "eth0.30": "10.0.30.2" },
    );
    const both = await withAddresses(
      "both",
      { vlan: 30, vlanTrunk: [{ id: 10 }] },
      { eth0: "10.0.30.3", "eth0.10": "10.0.10.3", "eth0.1": "10.0.1.3" },
    );
    const targets = { ten: "10.0.10.1", twenty: "10.0.20.1", thirty: "10.0.30.1", native: "10.0.1.1" };
    // VLAN 30 is not in the trunk, and VLAN 1 is not in the other one.
    expect(await answers(trunk.namespace, { ...targets, both: "10.0.10.3", deaf: "10.0.30.3" })).toEqual([
      "ten",
      "twenty",
      "native",
      "both",
    ]);
    expect(await answers(both.namespace, { ...targets, trunk: "10.0.10.2", deaf: "10.0.1.2" })).toEqual([
      "ten",
      "thirty",
      "trunk",
    ]);
    for (const attachment of [ten, twenty, thirty, native, trunk, both]) await attachment.del();
  });

  test("B14, B15: isolated ports of one VLAN do not reach each other", async () => {
    const keys = { vlan: 10, isGateway: true, portIsolation: true };
    const [a, b] = [await attach(host, "a", keys), await attach(host, "b", keys)];
    // The gateway's port is not isolated: it answers.
    const targets = { gateway: "10.77.0.1", a: addressOf(a), b: addressOf(b) };
    expect(await answers(a.namespace, targets)).toEqual(["gateway", "a"]);
    expect(await answers(b.namespace, targets)).toEqual(["gateway", "b"]);
    for (const one of [a, b]) await one.del();
  });
});

/** Gives an interface of the container an address; "eth0.10" is made as VLAN 10 of eth0. */
async function giveAddress(container: NamedNamespace, link: string, address: string): Promise<void> {
  const [parent, vlan] = link.split(".");
  if (vlan !== undefined) await container.run(`ip link add link ${parent} name ${link} type vlan id ${vlan}`);
  await container.run(`ip addr add ${address}/24 dev ${link} && ip link set ${link} up`);
}
