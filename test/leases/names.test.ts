/** K2, K3: leases of attachments with long or similar names. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { contentsOf, isLeaseContent, leaseContent, trimmed } from "../../src/leases/lease.ts";
import { addressesOf, hostLocalOn, networkOf } from "../support/host-local-call.ts";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { collidingAttachments, interfaceNames, LONGEST_ID } from "../support/names.ts";

const { add, check, del, gc, status } = hostLocalOn();
const V4 = { ranges: [[{ subnet: "10.0.0.0/29" }]] };

test("K3: the content of a lease names exactly one attachment", () => {
  fc.assert(
    fc.property(collidingAttachments(interfaceNames), ([one, two]) => {
      const same = one.containerId === two.containerId && one.ifname === two.ifname;
      expect(leaseContent(one) === leaseContent(two)).toBe(same);
      for (const attachment of [one, two]) {
        const [content, old] = contentsOf(attachment);
        expect(trimmed(content)).toBe(content);
        expect(isLeaseContent(content)).toBe(true);
        expect(content).not.toBe(old);
      }
    }),
  );
});

test("H53: Unicode white space around a content is removed, but not U+FEFF", () => {
  const space = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000";
  expect(trimmed(`${space}c1\r\neth0${space}`)).toBe("c1\r\neth0");
  for (const content of ["\ufeff", "c1\r\n\ufeff", "c1\r\n\u200b", "c1\r\n\u180e"])
    expect(trimmed(content)).toBe(content);
  expect([trimmed(""), trimmed(space)]).toEqual(["", ""]);
  // Each character is looked at once: otherwise this would not end.
  expect(trimmed(`${" ".repeat(200_000)}x`)).toBe("x");
});

describe("K3: interfaces whose names differ only in characters that trimming could remove", () => {
  test.each(["\ufeff", "a\ufeff", "\ufeffa", "\u200b", "a\u0001"])("%j", async (ifname) => {
    using leases = new LeaseDirectory();
    const config = leases.network(V4);
    const other = { config, ifname: "a" };
    await add(other);
    const [address] = addressesOf(await add({ config, ifname }));
    await check({ config, ifname });
    await gc({
      config: leases.network(V4, {
        "cni.dev/valid-attachments": [
          { containerID: "c1", ifname },
          { containerID: "c1", ifname: "a" },
        ],
      }),
    });
    expect(Object.keys(leases.leases())).toHaveLength(2);
    await del(other);
    expect(Object.keys(leases.leases())).toEqual([address?.replace("/29", "") ?? ""]);
    await gc({
      config: leases.network(V4, { "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "b" }] }),
    });
    expect(leases.leases()).toEqual({});
  });
});

describe("K2: networks with long names", () => {
  const inNetwork = (dataDir: string, length: number) => networkOf(dataDir, V4, { name: "n".repeat(length) });

  test.each([1, 218, 219, 249, 255])(
    "%d bytes: ADD, CHECK, DEL, STATUS and GC, with an index",
    async (length) => {
      using leases = new LeaseDirectory();
      const config = inNetwork(leases.dataDir, length);
      await status({ config });
      await add({ config, containerId: "c".repeat(LONGEST_ID) });
      await check({ config, containerId: "c".repeat(LONGEST_ID) });
      expect(readdirSync(leases.state).filter((name) => name.endsWith(".index"))).toHaveLength(1);
      await gc({
        config: networkOf(leases.dataDir, V4, {
          name: "n".repeat(length),
          "cni.dev/valid-attachments": [{ containerID: "c".repeat(LONGEST_ID), ifname: "eth0" }],
        }),
      });
      await del({ config, containerId: "c".repeat(LONGEST_ID) });
      expect(readdirSync(join(leases.dataDir, "n".repeat(length))).sort()).toEqual([
        "last_reserved_ip.0",
        "lock",
      ]);
    },
  );

  test("DEL and GC succeed for a longer name: its directory cannot exist", async () => {
    using leases = new LeaseDirectory();
    const config = networkOf(leases.dataDir, V4, { name: "n".repeat(256), "cni.dev/valid-attachments": [] });
    await del({ config });
    await gc({ config });
    expect(readdirSync(leases.dataDir)).toEqual([]);
  });

  test("GC removes only the leftovers of its own network", async () => {
    using leases = new LeaseDirectory();
    const names = ["n", "n.", "n".repeat(218), "n".repeat(219), "n".repeat(255)];
    for (const name of names) await add({ config: networkOf(leases.dataDir, V4, { name }) });
    expect(readdirSync(leases.state).filter((name) => name.endsWith(".index"))).toHaveLength(names.length);
    const leftover = join(leases.state, `n.+${crypto.randomUUID()}`);
    mkdirSync(leases.state, { recursive: true });
    writeFileSync(leftover, "");
    for (const name of names.filter((name) => name !== "n."))
      await gc({ config: networkOf(leases.dataDir, V4, { name, "cni.dev/valid-attachments": [] }) });
    expect(existsSync(leftover)).toBe(true);
    await gc({ config: networkOf(leases.dataDir, V4, { name: "n.", "cni.dev/valid-attachments": [] }) });
    expect(existsSync(leftover)).toBe(false);
  });
});
