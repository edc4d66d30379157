/** Names, MACs and aliases of host veths identify one attachment only. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Attachment } from "../../src/cni/attachment.ts";
import { ValidAttachments } from "../../src/cni/attachments.ts";
import {
  attachmentAlias,
  hostVethMac,
  hostVethName,
  hostVethNames,
  parseAttachmentAlias,
  staleAliases,
} from "../../src/links/veth-identity.ts";
import { formatMac } from "../../src/net/mac.ts";

const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,300}$/);
const attachment: fc.Arbitrary<Attachment> = fc.record({
  network: name,
  containerId: name,
  ifname: fc.stringMatching(/^[a-z][a-z0-9.@-]{0,14}$/),
});

test("B13: a name is veth and 8 hex digits", () => {
  fc.assert(
    fc.property(attachment, (one) => {
      expect(hostVethName(one)).toMatch(/^veth[0-9a-f]{8}$/);
      expect(hostVethName({ ...one })).toBe(hostVethName(one));
    }),
  );
});

test("B13, K6: an attachment has eight names to try, and each name has its own MAC in each network", () => {
  fc.assert(
    fc.property(attachment, name, (one, network) => {
      const names = hostVethNames(one);
      expect([names[0], new Set(names).size]).toEqual([hostVethName(one), 8]);
      const macs = names.map((veth) => formatMac(hostVethMac(one.network, veth)));
      expect(new Set(macs).size).toBe(8);
      for (const mac of macs) expect(mac).toMatch(/^.[26ae](:..){5}$/);
      const elsewhere = formatMac(hostVethMac(network, names[0] ?? ""));
      expect(elsewhere === macs[0]).toBe(network === one.network);
    }),
  );
});

test("K6: only an alias without a digest names its attachment", () => {
  fc.assert(
    fc.property(attachment, (one) => {
      const alias = attachmentAlias(one);
      expect(parseAttachmentAlias(alias)).toEqual(alias.startsWith("bridgehead:#") ? undefined : one);
    }),
  );
  for (const alias of ["", "bridgehead:net/c1", "bridgehead:net/c1/eth0/x", "net/c1/eth0"])
    expect(parseAttachmentAlias(alias)).toBeUndefined();
});

test("the alias reads as network, container and interface, and fits the kernel's 255 bytes", () => {
  expect(attachmentAlias({ network: "net", containerId: "c1", ifname: "eth0" })).toBe(
    "bridgehead:net/c1/eth0",
  );
  fc.assert(fc.property(attachment, (one) => expect(attachmentAlias(one).length).toBeLessThanOrEqual(255)));
});

test("two attachments never share an alias, and an alias belongs to its network only", () => {
  fc.assert(
    fc.property(attachment, attachment, (a, b) => {
      const same = a.network === b.network && a.containerId === b.containerId && a.ifname === b.ifname;
      expect(attachmentAlias(a) === attachmentAlias(b)).toBe(same);
      const none = new ValidAttachments(() => []);
      expect(staleAliases(a.network, none)(attachmentAlias(a))).toBe(true);
      expect(staleAliases(b.network, none)(attachmentAlias(a))).toBe(a.network === b.network);
      expect(staleAliases(a.network, new ValidAttachments(() => [a]))(attachmentAlias(a))).toBe(false);
      expect(
        staleAliases(
          a.network,
          new ValidAttachments(() => [b]),
        )(attachmentAlias({ ...b, network: a.network })),
      ).toBe(false);
      if (!same)
        expect(staleAliases(a.network, new ValidAttachments(() => [b]))(attachmentAlias(a))).toBe(
          a.containerId !== b.containerId || a.ifname !== b.ifname,
        );
    }),
  );
});

test("aliases of other programs belong to no attachment", () => {
  for (const alias of ["", "net/c1/eth0", "bridgehead", "calico", "bridgehead:network/c1/eth0"])
    expect(staleAliases("net", new ValidAttachments(() => []))(alias)).toBe(false);
});
