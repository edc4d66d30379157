/** O6: which attachments are dead, for gc and ports alike. */
import { expect, test } from "bun:test";
import { deathOf } from "../../src/operator/death.ts";
import type { JudgedLease, State } from "../../src/operator/lease-states.ts";

const lease = (state: State): JudgedLease => ({
  ...{ network: "net1", containerId: "c1", ifname: "eth0", path: "", record: undefined, netns: undefined },
  ...{ address: { family: 4, value: 1n }, state, why: `it is ${state}`, since: 0n },
  file: {
    ...{ address: { family: 4, value: 1n }, name: "", content: "", status: undefined },
    strangeness: undefined,
  },
});

const NAMESPACE = { path: "/run/netns/a", inode: "7", cookie: 1n, netnsId: 3 };
const NOTHING = { links: [], netns: undefined };
const GONE = "its network namespace is gone";

test.each([
  ["all leases are dead", ["dead", "dead"], NOTHING, false, "it is dead"],
  ["one lease is not", ["dead", "unknown"], NOTHING, true, undefined],
  ["a lease lives, and an old rule records another namespace", ["alive"], NOTHING, true, undefined],
  ["without a lease a rule records a namespace that is gone", [], NOTHING, true, GONE],
  ["nothing is known of it but such a rule", [], undefined, true, GONE],
  ["its namespace is there", [], { ...NOTHING, netns: NAMESPACE }, true, undefined],
  ["its link is there", [], { ...NOTHING, links: [{ index: 3, name: "veth1" }] }, true, undefined],
  ["nothing is recorded", [], NOTHING, false, undefined],
] as const)("%s", (_, states, signs, isGone, death) => {
  expect(deathOf(states.map(lease), signs, isGone)).toBe(death);
});
