/** A bridge that is there already and does not filter by VLAN: told to where that harms nobody, else refused (G22). */
import { expect, test } from "bun:test";
import { Attachment, BRIDGE, configuration, IPAM_FILES, shownLink } from "../../kernel/bridge/network.ts";
import { expectUnchanged } from "../../support/state-difference.ts";
import { describeOnHost, quietState, reaches, vlansOf } from "./vlan-network.ts";

const VLAN_KEYS: readonly [string, object][] = [
  ["vlan", { vlan: 10 }],
  ["vlanTrunk", { vlanTrunk: [{ id: 10 }] }],
  ["an empty vlanTrunk", { vlanTrunk: [] }],
];

describeOnHost("an existing bridge", (host) => {
  const filtering = async () => (await shownLink(host, BRIDGE)).linkinfo?.info_data?.vlan_filtering;

  test.each([...VLAN_KEYS])("G22: without ports filters from now on, for %s", async (_what, keys) => {
    await host.run(`ip link add ${BRIDGE} type bridge`);
    const attachment = new Attachment(
      host,
      await host.addNamespace("c1"),
      configuration({ ipam: {}, ...keys }),
    );
    const result = await attachment.add();
    expect(await filtering()).toBe(1);
    await attachment.check(result);
    await attachment.del();
  });

  test.each([...VLAN_KEYS])("G22: with ports is refused and stays as it is, for %s", async (_what, keys) => {
    const plain = new Attachment(host, await host.addNamespace("c1"), configuration({ isGateway: true }));
    const standing = await plain.add();
    const attachment = new Attachment(
      host,
      await host.addNamespace("c2"),
      configuration({ isGateway: true, ...keys }),
    );
    const before = await quietState(host);
    const port = standing.interfaces[1]?.name;
    expect(await attachment.failure("ADD")).toMatchObject({
      code: 7,
      msg: `bridge "${BRIDGE}" exists without VLAN filtering and has 1 ports (${port}): VLANs would not separate anything; use another bridge, or turn it on with: ip link set ${BRIDGE} type bridge vlan_filtering 1`,
    });
    expectUnchanged(before, await quietState(host), [IPAM_FILES]);
    expect(await filtering()).toBe(0);
    expect(await attachment.namespace.json("ip -j link")).toHaveLength(1);
    await plain.check(standing);

    // The remedy that the error names is one.
    await host.run(`ip link set ${BRIDGE} type bridge vlan_filtering 1`);
    await attachment.check(await attachment.add());
    expect(await reaches(plain.namespace, "10.77.0.1")).toBe(true);
    await plain.check(standing);
    await attachment.del();
    await plain.del();
  });

  test("with filtering and ports serves VLANs, and containers without", async () => {
    await host.run(`ip link add ${BRIDGE} type bridge vlan_filtering 1`);
    const plain = new Attachment(host, await host.addNamespace("c1"), configuration());
    const tagged = new Attachment(host, await host.addNamespace("c2"), configuration({ vlan: 10 }));
    const results = [await plain.add(), await tagged.add()];
    expect(await vlansOf(host, results[0]?.interfaces[1]?.name ?? "")).toEqual(["1 pvid untagged"]);
    expect(await vlansOf(host, results[1]?.interfaces[1]?.name ?? "")).toEqual(["10 pvid untagged"]);
    expect(await filtering()).toBe(1);
    await plain.del();
    await tagged.del();
  });
});
