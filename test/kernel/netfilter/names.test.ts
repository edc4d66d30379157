/**
 * K2, K3: attachments with names of any length, in pairs that share a chain of iptables because their names are the
 * same when joined. Judged by iptables-save and nft.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Attachment } from "../../../src/cni/attachment.ts";
import { iptablesChain } from "../../../src/netfilter/attachment-names.ts";
import type { Backend } from "../../../src/netfilter/iptables/host.ts";
import {
  type Container,
  collidingContainers,
  interfaceNames,
  LONGEST_ID,
  seeded,
} from "../../support/names.ts";
import { withScratchHost } from "../../support/scratch-host.ts";
import { check, setUp } from "./attached.ts";
import { everything, iptablesRules } from "./listings.ts";
import { masquerade } from "./modules.ts";
import { legacyHost, whyNoLegacy } from "./programs.ts";
import { referenceAddIptables, referenceDelIptables } from "./reference.ts";

const IPTABLES = ["nft", "legacy"] as const;
type Variant = (typeof IPTABLES)[number];

interface Situation {
  readonly backend: Backend;
  /** What lists the rules; undefined for nftables. */
  readonly variant?: Variant;
}

const SITUATIONS: readonly [string, Situation][] = [
  ["nftables", { backend: "nftables" }],
  ["iptables-nft", { backend: "iptables", variant: "nft" }],
  ["iptables-legacy", { backend: "iptables", variant: "legacy" }],
];

const noLegacy = await whyNoLegacy();
const possible = SITUATIONS.filter(([, { variant }]) => variant !== "legacy" || noLegacy === undefined);

/** A host whose iptables is of the variant. */
const withVariant = (variant: Variant | undefined, body: () => Promise<void>): Promise<void> =>
  withScratchHost(async (host) => {
    if (variant === "legacy") {
      await using _ = await legacyHost();
      await body();
    } else {
      await body();
    }
    // The reference leaves its tables.
    await host.run("nft flush ruleset");
  });

/** What the tools list of the host's masquerading. */
const listing = async (variant: Variant | undefined): Promise<string[]> =>
  variant === "legacy"
    ? [...(await iptablesRules("iptables-legacy")), ...(await iptablesRules("ip6tables-legacy"))]
    : everything();

const V4 = { one: "10.1.2.3/24", two: "10.1.9.4/24" };
const addressesOf = {
  one: [V4.one, "fd00:2::3/64"],
  two: [V4.two, "fd00:9::4/64"],
};

describe.each(possible)("%s", (_, { backend, variant }) => {
  test("two attachments whose names are one when joined: ADD, CHECK, GC and DEL keep them apart", async () => {
    await fc.assert(
      fc.asyncProperty(
        collidingContainers,
        interfaceNames,
        interfaceNames,
        fc.boolean(),
        async ([a, b], ifname, other, byCollection) => {
          await withVariant(variant, async () => {
            const one: Attachment = { ...a, ifname };
            const two: Attachment = { ...b, ifname: other };
            const before = await listing(variant);
            await setUp(backend, two, ...addressesOf.two);
            const twoAlone = (await listing(variant)).sort();
            await setUp(backend, one, ...addressesOf.one);
            const both = await listing(variant);
            for (const address of ["10.1.2.3", "10.1.9.4", "fd00:2::3", "fd00:9::4"])
              expect([address, both.some((line) => line.includes(address))]).toEqual([address, true]);
            await check(backend, one, ...addressesOf.one);
            await check(backend, two, ...addressesOf.two);
            await setUp(backend, one, ...addressesOf.one);
            expect(await listing(variant)).toEqual(both);
            // Nothing of a network goes with another's collection, nor what is valid.
            await masquerade.collect(one.network, [one]);
            await masquerade.collect(`${one.network.slice(0, 250)}x`, []);
            expect(await listing(variant)).toEqual(both);
            if (byCollection) await masquerade.collect(one.network, []);
            else await masquerade.tearDown(one);
            expect((await listing(variant)).sort()).toEqual(twoAlone);
            await masquerade.tearDown(one);
            await check(backend, two, ...addressesOf.two);
            expect((await listing(variant)).sort()).toEqual(twoAlone);
            await masquerade.tearDown(two);
            expect(await listing(variant)).toEqual(before);
          });
        },
      ),
      seeded(12),
    );
  });

  test("the longest names that a runtime can send", async () => {
    await withVariant(variant, async () => {
      const before = await listing(variant);
      const longest = {
        network: "n".repeat(255),
        containerId: "c".repeat(LONGEST_ID),
        ifname: "é".repeat(7),
      };
      await setUp(backend, longest, ...addressesOf.one);
      await check(backend, longest, ...addressesOf.one);
      await masquerade.tearDown(longest);
      expect(await listing(variant)).toEqual(before);
    });
  });
});

/** Two containers whose names are the same when joined. */
const pairOf = (id: string): [Container, Container] => [
  { network: "net1", containerId: `0${id}` },
  { network: "net10", containerId: id },
];

/** Lengths of the network's name and of the container's id: a whole comment, and two that iptables cuts. */
const PAIRS: readonly [string, [Container, Container]][] = [
  ["whole comments", pairOf("abc")],
  ["comments that iptables cuts in the container's id", pairOf("c".repeat(400))],
];

describe.each(possible.filter(([, { backend }]) => backend === "iptables"))(
  "%s, with the reference in the same chain",
  (_, { backend, variant = "nft" }) => {
    test.each(PAIRS)("%s: each order of ADDs and DELs", async (_, [a, b]) => {
      const [one, two] = [
        { ...a, ifname: "eth0" },
        { ...b, ifname: "eth0" },
      ];
      expect(iptablesChain(one)).toBe(iptablesChain(two));
      // In one subnet: behind the other's masquerading the reference's rule for its own is never reached.
      const [ours, theirs] = [["10.1.2.3/24"], ["10.1.2.4/24"]];
      const jumpOf = (address: string) => `-A POSTROUTING -s ${address}/32 `;
      await withVariant(variant, async () => {
        for (const reference of ["first", "second"] as const) {
          for (const leaves of [one, two]) {
            const addOurs = () => setUp(backend, one, ...ours);
            const addTheirs = () => referenceAddIptables(two, theirs, variant);
            for (const add of reference === "first" ? [addTheirs, addOurs] : [addOurs, addTheirs])
              await add();
            await check(backend, one, ...ours);
            await check(backend, two, ...theirs);
            await masquerade.tearDown(leaves);
            await masquerade.tearDown(leaves);
            const [stays, address, gone] =
              leaves === one ? [two, theirs, "10.1.2.3"] : [one, ours, "10.1.2.4"];
            await check(backend, stays, ...address);
            const left = (await listing(variant)).join("\n");
            expect(left).not.toContain(jumpOf(gone));
            expect(left).not.toContain(`name: \\"${leaves.network}\\"`);
            await masquerade.tearDown(stays);
            expect((await listing(variant)).join("\n")).not.toContain("CNI-");
          }
        }
      });
    });

    test("K2: rules with a comment that iptables cuts are the reference's, one for one, and go with its DEL", async () => {
      await withVariant(variant, async () => {
        const program = `iptables-${variant}`;
        const rules = async () =>
          (await iptablesRules(program)).filter((line) => line.includes("CNI-") && !line.includes(" if: "));
        for (const length of [200, 239, 240, 255, 1000, LONGEST_ID]) {
          const attachment = { network: "n", containerId: "c".repeat(length), ifname: "eth0" };
          await referenceAddIptables(attachment, [V4.one], variant);
          const expected = await rules();
          await referenceDelIptables(attachment, [V4.one], variant);
          await setUp(backend, attachment, V4.one);
          expect(await rules()).toEqual(expected);
          await referenceDelIptables(attachment, [V4.one], variant);
          expect(await rules()).toEqual([]);
        }
      });
    });
  },
);
