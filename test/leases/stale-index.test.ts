/**
 * The index is a cache (rule L6): whatever happens to it or to the directory, answers are those of the directory. There
 * are sixty leases, so that a command reads all of them only for a reason.
 */
import { describe, expect, spyOn, test } from "bun:test";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { LeaseStore } from "../../src/leases/lease-store.ts";
import { type Fault, withFault, withoutSyncing } from "../support/faulty-libc.ts";
import { LeaseScene } from "../support/lease-scene.ts";

withoutSyncing();

const IPAM = { ranges: [[{ subnet: "10.0.0.0/24" }]] };

async function withSixty(): Promise<LeaseScene> {
  const scene = new LeaseScene(IPAM);
  for (let n = 0; n < 60; n++) expect(await scene.add(`c${n}`)).toBe(`10.0.0.${n + 2}/24`);
  return scene;
}

/** How many times an action reads a directory. */
async function reads(action: () => Promise<unknown>): Promise<number> {
  const read = new Set<string>();
  await withFault((call, [fd]) => void (call === "getdents64" && read.add(String(fd))), action);
  return read.size;
}

const DUPLICATE = "duplicate allocation is not allowed";

describe("L6: the index", () => {
  test("is used: a command reads only its own lease", async () => {
    using scene = await withSixty();
    const opened = new Set<string>();
    const watch: Fault = (call, [path]) => {
      if (call === "openat" && /\/net\/10\./.test(String(path))) opened.add(String(path).replace(/.*\//, ""));
    };
    await withFault(watch, async () => {
      await scene.check("c30");
      await scene.del("c31");
      await scene.add("c99");
    });
    expect([...opened]).toEqual(["10.0.0.32", "10.0.0.33"]);
  });

  const SPOILED: readonly [name: string, spoil: (index: string) => void][] = [
    ["removed", (index) => rmSync(index)],
    ["emptied", (index) => truncateSync(index, 0)],
    ["cut short", (index) => truncateSync(index, 1_000)],
    ["filled with nonsense", (index) => writeFileSync(index, Buffer.alloc(30_000, 7))],
    [
      "a directory",
      (index) => {
        rmSync(index);
        mkdirSync(index);
      },
    ],
    [
      "a link to elsewhere",
      (index) => {
        rmSync(index);
        symlinkSync("/etc/hostname", index);
      },
    ],
    ["longer than it was", (index) => appendFileSync(index, Buffer.alloc(40))],
    ["larger than any index", (index) => truncateSync(index, 2 ** 40 + 40)],
    [
      "with its body torn",
      (index) => {
        const bytes = readFileSync(index);
        bytes.fill(0, bytes.length / 2, bytes.length);
        writeFileSync(index, bytes);
      },
    ],
    [
      "of the version before, which had three columns for all leases",
      (index) => {
        const bytes = Buffer.alloc(40 + 40 * 60);
        bytes.writeBigUInt64LE(0x42_48_69_6e_64_65_78_02n);
        writeFileSync(index, bytes);
      },
    ],
  ];
  test.each(SPOILED)("may be %s", async (_, spoil) => {
    using scene = await withSixty();
    const elsewhere = existsSync("/etc/hostname") ? readFileSync("/etc/hostname", "utf8") : "";
    spoil(scene.index);
    expect(await scene.add("c7")).toContain(DUPLICATE);
    expect(await scene.check("c59")).toBe(true);
    await scene.del("c8");
    expect(await scene.check("c8")).toBe(false);
    expect(await scene.add("c60")).toBe("10.0.0.62/24");
    // A file of ours is repaired, so the next command does not read the directory.
    expect(await reads(() => scene.check("c59"))).toBe(lstatSync(scene.index).isFile() ? 0 : 1);
    expect(existsSync("/etc/hostname") ? readFileSync("/etc/hostname", "utf8") : "").toBe(elsewhere);
  });

  test("may be an earlier one", async () => {
    using scene = await withSixty();
    const saved = join(scene.leases.dataDir, "saved");
    copyFileSync(scene.index, saved);
    await scene.del("c8");
    await scene.add("c61");
    copyFileSync(saved, scene.index);
    expect(await scene.add("c61")).toContain(DUPLICATE);
    expect(await scene.check("c8")).toBe(false);
    expect(await scene.add("c8")).toBe("10.0.0.63/24");
  });

  test("may be from an earlier boot, whose last writes never reached the disk", async () => {
    using scene = new LeaseScene(IPAM);
    await scene.add("c1");
    scene.boot.reboot();
    expect(await reads(() => scene.check("c1"))).toBe(1);
  });
});

describe("L6: the directory", () => {
  test("may change between two commands", async () => {
    using scene = await withSixty();
    scene.leases.remove("10.0.0.20");
    scene.leases.write("10.0.0.62", "new\r\neth0");
    expect(await scene.add("new")).toContain(DUPLICATE);
    expect(await scene.check("c18")).toBe(false);
    expect(await scene.add("c18")).toBe("10.0.0.63/24");
  });

  test("may have its time set back after a change", async () => {
    using scene = await withSixty();
    const reference = join(scene.leases.dataDir, "reference");
    const touch = (...words: string[]) => Bun.spawnSync(["touch", "--no-create", ...words]);
    writeFileSync(reference, "");
    touch("-r", scene.leases.path, reference);
    const before = statSync(scene.leases.path, { bigint: true }).mtimeNs;
    await scene.leases.nextTick("");
    scene.leases.write("10.0.0.62", "new\r\neth0");
    touch("-r", reference, scene.leases.path);
    expect(statSync(scene.leases.path, { bigint: true }).mtimeNs).toBe(before);
    expect(await scene.add("new")).toContain(DUPLICATE);
  });

  test("may be replaced as a whole", async () => {
    using scene = await withSixty();
    rmSync(scene.leases.path, { recursive: true });
    expect(await scene.check("c1")).toBe(false);
    scene.leases.write("10.0.0.2", "new\r\neth0");
    expect(await scene.add("new")).toContain(DUPLICATE);
    expect(await scene.add("c1")).toBe("10.0.0.3/24");
  });

  const MOMENTS: readonly [name: string, is: (call: string, path: string) => boolean][] = [
    [
      "before it looks for a free address",
      (call, path) => call === "openat" && path.endsWith("last_reserved_ip.0"),
    ],
    ["after it created its own", (call) => call === "ftruncate"],
  ];
  test.each(MOMENTS)("may get a lease without the lock while a command is at work: %s", async (_, is) => {
    using scene = await withSixty();
    let done = false;
    const meanwhile: Fault = (call, [path]) => {
      if (done || !is(call, String(path))) return;
      done = true;
      scene.leases.write("10.0.0.200", "new\r\neth0");
    };
    expect(await withFault(meanwhile, () => scene.add("c60"))).toBe("10.0.0.62/24");
    expect(done).toBe(true);
    expect(await scene.add("new")).toContain(DUPLICATE);
  });

  test("may get a lease in the microseconds before a command's own change: CHECK and DEL find it", async () => {
    using scene = await withSixty();
    let done = false;
    const meanwhile: Fault = (call) => {
      if (call !== "linkat" || done) return;
      done = true;
      scene.leases.write("10.0.0.200", "new\r\neth0");
    };
    expect(await withFault(meanwhile, () => scene.add("c60"))).toBe("10.0.0.62/24");
    expect(await scene.check("new")).toBe(true);
    await scene.del("new");
    expect(scene.leases.leases()["10.0.0.200"]).toBeUndefined();
  });

  test("may get a lease in those microseconds: an ADD that comes across it makes the index anew", async () => {
    using scene = await withSixty();
    let done = false;
    const meanwhile: Fault = (call) => {
      if (call !== "linkat" || done) return;
      done = true;
      scene.leases.write("10.0.0.63", "new\r\neth0");
    };
    expect(await withFault(meanwhile, () => scene.add("c60"))).toBe("10.0.0.62/24");
    expect(await scene.add("c61")).toBe("10.0.0.64/24");
    expect(await scene.add("new")).toContain(DUPLICATE);
  });

  test.each([
    ["trusted", () => {}],
    ["missing", ({ index }: LeaseScene) => rmSync(index)],
  ])(
    "may get a lease at the address that a command is just allocating, with an index that is %s",
    async (_, prepare) => {
      using scene = await withSixty();
      prepare(scene);
      let done = false;
      const meanwhile: Fault = (call) => {
        if (call !== "linkat" || done) return;
        done = true;
        scene.leases.write("10.0.0.62", "new\r\neth0");
      };
      expect(await withFault(meanwhile, () => scene.add("c60"))).toBe("10.0.0.63/24");
      expect(scene.leases.leases()).toMatchObject({ "10.0.0.62": "new\r\neth0", "10.0.0.63": "c60\r\neth0" });
      expect(await scene.add("new")).toContain(DUPLICATE);
    },
  );

  test("may have a lease overwritten in place: DEL and CHECK notice it", async () => {
    using scene = await withSixty();
    // 10.0.0.40 was c38's.
    await scene.leases.overwrite("10.0.0.40", "other\r\neth0");
    expect(await scene.check("c38")).toBe(false);
    expect(await scene.check("other")).toBe(true);
    await scene.del("c38");
    expect(scene.leases.leases()["10.0.0.40"]).toBe("other\r\neth0");
    await scene.del("other");
    expect(scene.leases.leases()["10.0.0.40"]).toBeUndefined();
  });

  test("may have two leases exchanged in place: a DEL finds all of its own", async () => {
    using scene = await withSixty();
    scene.leases.write("10.0.0.62", "c5\r\neth0");
    expect(await scene.check("c5")).toBe(true);
    await scene.leases.overwrite("10.0.0.62", "c38\r\neth0");
    await scene.leases.overwrite("10.0.0.40", "c5\r\neth0");
    // Sometimes the sample would notice one of the two.
    using _ = spyOn(LeaseStore.prototype, "inspectSome").mockImplementation(() => {});
    await scene.del("c5");
    expect(Object.values(scene.leases.leases())).not.toContain("c5\r\neth0");
    expect(scene.leases.leases()["10.0.0.62"]).toBe("c38\r\neth0");
  });
});

/**
 * An index of two pages: a hundred leases of other programs, and few addresses and containers that change. What is
 * edited in place is left out, since a sample finds it only sooner or later.
 */
test("L6: with an index of two pages, random histories match a list of files", async () => {
  const id = fc.nat(5).map((n) => `c${n}`);
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("add" as const), id }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("del" as const), id }) },
    fc.record({ kind: fc.constant("check" as const), id }),
    fc.record({ kind: fc.constant("written by Go" as const), id, at: fc.integer({ min: 2, max: 12 }) }),
    fc.record({ kind: fc.constant("removed by hand" as const), at: fc.integer({ min: 2, max: 12 }) }),
    fc.record({ kind: fc.constant("damaged" as const), at: fc.nat(10_000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      using scene = new LeaseScene({ ranges: [[{ subnet: "10.0.0.0/24", rangeEnd: "10.0.0.12" }]] });
      for (let n = 0; n < 100; n++) scene.leases.write(`10.0.1.${n}`, `other${n}\r\neth0`);
      const files = scene.leases.leases();
      for (const each of steps) {
        const content = "id" in each ? `${each.id}\r\neth0` : "";
        const holds = Object.values(files).includes(content);
        if (each.kind === "add") {
          const given = await scene.add(each.id);
          const address = given.replace("/24", "");
          if (holds) expect(given).toContain(DUPLICATE);
          else if (/^10\.0\.0\.\d+$/.test(address)) {
            expect(files[address]).toBeUndefined();
            files[address] = content;
          } else {
            expect(given).toContain("no IP addresses available");
            for (let at = 2; at <= 12; at++) expect(files[`10.0.0.${at}`]).toBeDefined();
          }
        } else if (each.kind === "del") {
          await scene.del(each.id);
          for (const [name, text] of Object.entries(files)) if (text === content) delete files[name];
        } else if (each.kind === "check") expect(await scene.check(each.id)).toBe(holds);
        else if (each.kind === "written by Go") {
          const name = `10.0.0.${each.at}`;
          if (files[name] !== undefined) continue;
          scene.leases.write(name, content);
          files[name] = content;
        } else if (each.kind === "removed by hand") {
          scene.leases.remove(`10.0.0.${each.at}`);
          delete files[`10.0.0.${each.at}`];
        } else if (existsSync(scene.index)) {
          const bytes = readFileSync(scene.index);
          const at = each.at % bytes.length;
          bytes[at] = (bytes[at] ?? 0) ^ 1;
          writeFileSync(scene.index, bytes);
        }
      }
      expect(scene.leases.leases()).toEqual(files);
    }),
    { numRuns: 15 },
  );
});
