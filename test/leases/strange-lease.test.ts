/** K4: a lease file that may be another program's holds its address until its own attachment is deleted. */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, linkSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LeaseScene } from "../support/lease-scene.ts";
import { testUnless } from "../support/skip.ts";

/** Two addresses: 10.0.0.2 and 10.0.0.3. */
const TWO = { ranges: [[{ subnet: "10.0.0.0/29", rangeEnd: "10.0.0.3" }]] };
const OTHER_USER = 65534;
const notRoot = process.getuid?.() === 0 ? undefined : "not root";

/** Its GC has an empty list. */
const sceneOf = () => new LeaseScene(TWO, { "cni.dev/valid-attachments": [] });

const STRANGE: readonly [string, (path: string) => void, words: string, unless?: string | undefined][] = [
  [
    "has a second name",
    (path) => linkSync(path, join(path, "../../copy")),
    "the file has 2 names (hard links)",
  ],
  [
    "belongs to another user",
    (path) => chownSync(path, OTHER_USER, 0),
    `the file belongs to user ${OTHER_USER}`,
    notRoot,
  ],
];

for (const [name, spoil, words, unless] of STRANGE) {
  describe(`K4: a lease that ${name}`, () => {
    testUnless(unless)("is not released by GC, a reboot or a retry", async () => {
      using scene = sceneOf();
      expect(await scene.add("a")).toBe("10.0.0.2/29");
      spoil(scene.path("10.0.0.2"));
      expect(await scene.call("gc", "any")).toBe("done");
      expect(scene.lines).toEqual([
        expect.stringContaining(`the address of "${scene.path("10.0.0.2")}" stays held: ${words}`),
      ]);
      scene.boot.reboot();
      expect(await scene.add("b")).toBe("10.0.0.3/29");
      expect(await scene.add("c")).toContain("no IP addresses available");
      expect(await scene.add("a")).toContain("duplicate allocation is not allowed");
      expect(existsSync(scene.path("10.0.0.2"))).toBe(true);
    });

    testUnless(unless)("is found by CHECK and released by DEL of its own attachment", async () => {
      using scene = sceneOf();
      await scene.add("a");
      spoil(scene.path("10.0.0.2"));
      expect(await scene.call("check", "a")).toBe("done");
      expect(await scene.call("del", "b")).toBe("done");
      expect(existsSync(scene.path("10.0.0.2"))).toBe(true);
      expect(await scene.call("del", "a")).toBe("done");
      expect(existsSync(scene.path("10.0.0.2"))).toBe(false);
    });

    testUnless(unless)(
      "is not shown in errors about its address, and is not removed if it is empty",
      async () => {
        using scene = sceneOf();
        await scene.add("a");
        for (const content of ["secret", ""]) {
          writeFileSync(scene.path("10.0.0.2"), content);
          if (content === "secret") spoil(scene.path("10.0.0.2"));
          const message = await scene.call("add", "b", { args: "IP=10.0.0.2" });
          expect(message).toContain(`it belongs to a file that is not a lease (${scene.path("10.0.0.2")})`);
          expect(readFileSync(scene.path("10.0.0.2"), "utf8")).toBe(content);
        }
      },
    );
  });
}

test("K4: leases that a backup restored with other modes are still leases", async () => {
  using scene = sceneOf();
  await scene.add("a");
  for (const mode of [0o644, 0o666, 0o400, 0o755]) {
    chmodSync(scene.path("10.0.0.2"), mode);
    expect(await scene.call("check", "a")).toBe("done");
  }
  // The lease's namespace is gone.
  scene.boot.reboot();
  expect(await scene.call("gc", "any")).toBe("done");
  expect(existsSync(scene.path("10.0.0.2"))).toBe(false);
});
