/** Least privilege: what firewall needs of capabilities(7) (docs/security.md). */
import { expect } from "bun:test";
import { type Capability, callWith } from "../../support/privileges.ts";
import { testUnless } from "../../support/skip.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import { container, type Firewall, filterRules, firewallTest, firewallTests } from "./network.ts";

const ALL: readonly Capability[] = ["dac_override", "dac_read_search", "net_admin", "net_raw", "sys_admin"];

/** What each command needs, in an order in which each has something to do. */
const NEEDS: readonly (readonly [string, readonly Capability[]])[] = [
  ["VERSION", []],
  ["STATUS", ["net_admin", "sys_admin"]],
  ["ADD", ["net_admin"]],
  ["CHECK", ["net_admin"]],
  ["DEL", ["net_admin"]],
  ["ADD", ["net_admin"]],
  ["GC", ["net_admin"]],
];

const LEGACY = NEEDS.map(([command, needs]): (typeof NEEDS)[number] => [
  command,
  ["ADD", "DEL", "GC"].includes(command) ? [...needs, "net_raw"] : needs,
]);

/** Not the container of the test: of an empty list GC would take only what is dead. */
const VALID = { "cni.dev/valid-attachments": [{ containerID: "other", ifname: "eth0" }] };

/** Takes away each capability that a command needs, which it must name, and then all others, which it must not miss. */
async function live(one: Firewall, needed: typeof NEEDS, rules: () => Promise<unknown>) {
  for (const [command, needs] of needed) {
    // In iptables-legacy GC knows rules by their addresses, which no lease may hold any more.
    if (command === "GC") await one.attachment.del();
    const call = (capabilities: readonly Capability[]) =>
      callWith({ capabilities }, "firewall", one.request(command, VALID));
    for (const missing of needs) {
      const before = await rules();
      const outcome = await call(ALL.filter((other) => other !== missing));
      expect(`${command}: ${outcome}`).toStartWith(`${command}: exit code 1`);
      expect(outcome.json<{ msg: string }>().msg).toContain(
        `CAP_${missing.toUpperCase()} is missing (needed `,
      );
      expect(await rules()).toEqual(before);
    }
    expect(`${command}: ${await call(needs)}`).toStartWith(`${command}: exit code 0`);
  }
}

firewallTest.each(["iptables", "nftables"])(
  "backend %s: each command needs exactly this, and without it changes nothing",
  async (host, backend) => {
    const one = await container(host, "c1", { backend, ingressPolicy: "isolated" });
    await live(one, NEEDS, () => host.run("nft list ruleset; bridge -d link"));
    await one.attachment.del();
  },
);

firewallTests(testUnless(await whyNoLegacy()))("iptables-legacy also needs CAP_NET_RAW", async (host) => {
  await using _programs = await legacyHost();
  const one = await container(host, "c1");
  await live(one, LEGACY, () => filterRules(host, "iptables-legacy"));
  await one.attachment.del();
});
