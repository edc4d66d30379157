/** Names and aliases of host veths: an owner's own, and never anybody else's. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { ValidAttachments } from "../../../src/cni/attachments.ts";
import {
  hostVethName,
  type Owner,
  ownerAlias,
  randomVethName,
  staleAliases,
} from "../../../src/plugins/bridge/attachment.ts";

const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,300}$/);
const owner: fc.Arbitrary<Owner> = fc.record({
  network: name,
  containerId: name,
  ifname: fc.stringMatching(/^[a-z][a-z0-9.@-]{0,14}$/),
});

test("B13: veth and 8 hex digits", () => {
  fc.assert(
    fc.property(owner, (one) => {
      expect(hostVethName(one)).toMatch(/^veth[0-9a-f]{8}$/);
      expect(hostVethName({ ...one })).toBe(hostVethName(one));
    }),
  );
  expect(randomVethName()).toMatch(/^veth[0-9a-f]{8}$/);
});

test("the alias reads as network, container and interface, and fits the kernel's 255 bytes", () => {
  expect(ownerAlias({ network: "net", containerId: "c1", ifname: "eth0" })).toBe("bridgehead:net/c1/eth0");
  fc.assert(fc.property(owner, (one) => expect(ownerAlias(one).length).toBeLessThanOrEqual(255)));
});

test("two owners never share an alias, and an alias belongs to its network only", () => {
  fc.assert(
    fc.property(owner, owner, (a, b) => {
      const same = a.network === b.network && a.containerId === b.containerId && a.ifname === b.ifname;
      expect(ownerAlias(a) === ownerAlias(b)).toBe(same);
      const none = new ValidAttachments(() => []);
      expect(staleAliases(a.network, none)(ownerAlias(a))).toBe(true);
      expect(staleAliases(b.network, none)(ownerAlias(a))).toBe(a.network === b.network);
      expect(staleAliases(a.network, new ValidAttachments(() => [a]))(ownerAlias(a))).toBe(false);
      expect(
        staleAliases(a.network, new ValidAttachments(() => [b]))(ownerAlias({ ...b, network: a.network })),
      ).toBe(false);
      if (!same)
        expect(staleAliases(a.network, new ValidAttachments(() => [b]))(ownerAlias(a))).toBe(
          a.containerId !== b.containerId || a.ifname !== b.ifname,
        );
    }),
  );
});

test("aliases of other programs are nobody's", () => {
  for (const alias of ["", "net/c1/eth0", "bridgehead", "calico", "bridgehead:network/c1/eth0"])
    expect(staleAliases("net", new ValidAttachments(() => []))(alias)).toBe(false);
});
