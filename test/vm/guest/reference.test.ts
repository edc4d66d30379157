/**
 * VLANs beside the reference: the same configuration gives the same result and leaves the same state, field by field,
 * MACs and the names of veths aside. What the reference added, ours checks and removes.
 */
import { expect } from "bun:test";
import {
  Attachment,
  BRIDGE,
  configuration,
  hostLocal,
  prepare,
  V4,
  V6,
} from "../../kernel/bridge/network.ts";
import { outcomeOf } from "../../support/command.ts";
import { callPlugin, type PluginOutcome } from "../../support/plugin-call.ts";
import { testUnless } from "../../support/skip.ts";
import { describeOnHost } from "./vlan-network.ts";
import { observe } from "./vlan-state.ts";

const { BRIDGEHEAD_REFERENCE_DIR: reference, BRIDGEHEAD_NO_REFERENCE: none } = process.env;

/** An attachment that the reference's plugins serve. */
class ReferenceAttachment extends Attachment {
  override call(command: string, keys: object = {}, netns = this.namespace.path): Promise<PluginOutcome> {
    const call = { command, containerId: this.namespace.name, netns, ifname: this.ifname };
    return callPlugin("bridge", { ...call, config: { ...this.config, ...keys } }, reference);
  }
}

/** The reference learned of trunks, isolation and preserveDefaultVlan before it learned of CNI 1.1.0. */
const usage = reference === undefined ? "" : (await outcomeOf([`${reference}/bridge`])).stderr;
const whyNot = reference === undefined ? `no reference: ${none}` : undefined;
const whyNotNew = whyNot ?? (usage.includes("1.1.0") ? undefined : `${reference} holds an old reference`);

/** In 1.0.0 a result has no mtu, which the reference never reports (G18). */
const config = (keys: object) => configuration({ cniVersion: "1.0.0", preserveDefaultVlan: true, ...keys });
const apart = { preserveDefaultVlan: false };
const gateway = { isGateway: true, isDefaultGateway: true };

/** Keys, and what was there before. */
type Case = readonly [string, object, string?];

/** Also of a reference that keeps the default VLAN whatever one says. */
const CASES: readonly Case[] = [
  ["an access VLAN", { vlan: 100, ipam: {} }],
  ["an access VLAN with IPv4 gateway", { vlan: 100, ...gateway }],
  ["an access VLAN with IPv6 gateway", { vlan: 100, isGateway: true, ipam: hostLocal(V6) }],
];

const NEW_CASES: readonly Case[] = [
  ["an access VLAN alone", { vlan: 100, ...apart, ipam: {} }],
  ["an access VLAN, with what is the default", { vlan: 100, preserveDefaultVlan: undefined, ipam: {} }],
  ["VLAN 1", { vlan: 1, ...apart, ipam: {} }],
  [
    "a trunk of all kinds of items",
    {
      vlanTrunk: [{ id: 300 }, { minID: 25, maxID: 30 }, { minID: 20, maxID: 26, id: 31 }, { id: 7 }],
      ...apart,
      ipam: {},
    },
  ],
  ["a trunk beside the default VLAN", { vlanTrunk: [{ id: 101 }], ipam: {} }],
  ["a trunk that holds VLAN 1", { vlanTrunk: [{ minID: 1, maxID: 3 }], ...apart, ipam: {} }],
  ["an access VLAN and a trunk", { vlan: 100, vlanTrunk: [{ id: 7 }, { minID: 200, maxID: 202 }], ...apart }],
  ["access VLAN, trunk and default VLAN", { vlan: 100, vlanTrunk: [{ id: 200 }], ipam: {} }],
  ["VLAN 1 in the trunk of another access VLAN", { vlan: 100, vlanTrunk: [{ id: 1 }], ipam: {} }],
  ["an empty trunk", { vlanTrunk: [], ...apart, ipam: {} }],
  [
    "dual-stack with gateways and a trunk",
    { vlan: 100, vlanTrunk: [{ id: 200 }], ...apart, ...gateway, ipam: hostLocal(V4, V6) },
  ],
  [
    "mtu, hairpin and isolation",
    { vlan: 100, ...apart, ...gateway, mtu: 1400, hairpinMode: true, portIsolation: true },
  ],
  [
    "a bridge with another mtu and default VLAN",
    { vlan: 100, ...apart, ...gateway },
    `ip link add ${BRIDGE} type bridge vlan_filtering 1 vlan_default_pvid 5; ip link set ${BRIDGE} mtu 1300`,
  ],
];

describeOnHost("as the reference does it", (host) => {
  /** What two containers see and leave, one after the other. */
  const lifeOf = async (Kind: typeof Attachment, keys: object, before = "true") => {
    await host.run(before);
    const attachments = await Promise.all(
      ["c1", "c2"].map(async (name) => new Kind(host, await host.addNamespace(name), config(keys))),
    );
    const seen: object[] = [];
    for (const attachment of attachments) seen.push(await observe(attachment, await attachment.add()));
    for (const attachment of attachments) await attachment.del();
    const left = (
      await host.run("bridge vlan | tail -n +2; ip -br -4 addr; ip -br -6 addr show scope global")
    )
      .replaceAll(/veth[0-9a-f]{8}/g, "VETH")
      .replaceAll(/ +/g, " ");
    await host.removeNamespaces();
    await host.run(
      `ip link del ${BRIDGE}.100 2>/dev/null; ip link del ${BRIDGE}; rm -rf /var/lib/cni/networks`,
    );
    return { seen, left };
  };
  for (const [cause, cases] of [
    [whyNot, CASES],
    [whyNotNew, NEW_CASES],
  ] as const) {
    for (const [what, keys, prepare] of cases) {
      testUnless(cause)(what, async () =>
        expect(await lifeOf(Attachment, keys, prepare)).toEqual(
          await lifeOf(ReferenceAttachment, keys, prepare),
        ),
      );
    }
  }

  // Its port of such a trunk has no VLAN for what the container sends untagged: it hears nothing of its access VLAN.
  testUnless(whyNotNew)(
    "but for a trunk that holds the access VLAN, which the reference makes deaf",
    async () => {
      const keys = { vlan: 100, vlanTrunk: [{ minID: 99, maxID: 101 }], ...apart, ipam: {} };
      const portVlans = async (Kind: typeof Attachment) =>
        (await lifeOf(Kind, keys)).seen.map((state) => Object(state).port.vlans);
      expect(await portVlans(ReferenceAttachment)).toEqual([["99-101"], ["99-101"]]);
      const right = ["99", "100 pvid untagged", "101"];
      expect(await portVlans(Attachment)).toEqual([right, right]);
    },
  );

  testUnless(whyNotNew)("and ours takes over what the reference made", async () => {
    const keys = { vlan: 100, vlanTrunk: [{ id: 200 }], ...apart, ...gateway, ipam: hostLocal(V4, V6) };
    // A bridge of the reference's own changes its MAC with its ports, and CHECK would say so.
    await host.run(`ip link add ${BRIDGE} address 02:00:00:00:00:01 type bridge vlan_filtering 1`);
    const theirs = new ReferenceAttachment(host, await host.addNamespace("c1"), config(keys));
    const ours = await prepare(host, "c2", config(keys));
    const results = [await theirs.add(), await ours.add()];
    expect(results[1]?.interfaces[3]).toEqual(results[0]?.interfaces[3]);
    const adopted = new Attachment(host, theirs.namespace, theirs.config);
    for (const [index, attachment] of [adopted, ours].entries()) {
      const result = results[index];
      if (result !== undefined) await attachment.check(result);
      await attachment.del();
    }
    expect((await host.json<object[]>(`ip -j link show master ${BRIDGE}`)).length).toBe(1);
  });
});
