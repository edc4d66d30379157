/** The largest inputs, legal or not: memory by a stated multiple of them (K9), and one document. */
import { describe, expect, test } from "bun:test";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { measuredCall } from "../support/plugin-call.ts";

const MIB = 2 ** 20;

interface Measured {
  readonly exitCode: number;
  readonly msg: string | undefined;
  readonly mebibytes: number;
}

async function measure(command: string, config: string | Blob): Promise<Measured> {
  const call = { command, containerId: "c1", netns: "/nowhere", ifname: "eth0", path: "/nowhere", config };
  const { outcome, mebibytes } = await measuredCall("host-local", call);
  const { exitCode, stdout } = outcome;
  return { exitCode, msg: stdout === "" ? undefined : outcome.json<{ msg?: string }>().msg, mebibytes };
}

/** An ADD that goes well, with small memory. */
async function expectAdded(config: string): Promise<Measured> {
  const measured = await measure("ADD", config);
  expect(measured).toMatchObject({ exitCode: 0, msg: undefined });
  expectSmall(measured, config.length);
  return measured;
}

/** What docs/security.md promises for standard input of so many bytes. */
function expectSmall({ mebibytes }: Measured, bytes: number): void {
  expect(mebibytes).toBeGreaterThan(1);
  expect(mebibytes).toBeLessThan(64 + (PER_BYTE * bytes) / MIB);
}

/** Bytes of memory for each byte of a configuration, at most: empty objects and nested arrays take the most. */
const PER_BYTE = 40;

/** A configuration of exactly so many bytes, filled up with `piece` in a list that nobody reads. */
function filled(leases: LeaseDirectory, piece: string, bytes: number): string {
  const config = leases.network({ ranges: [[{ subnet: "10.1.0.0/24" }]] }, { x: ["@"] });
  const [before = "", after = ""] = JSON.stringify(config).split('"@"');
  const room = bytes - before.length - after.length;
  const list = Array.from({ length: Math.floor((room + 1) / (piece.length + 1)) }, () => piece).join(",");
  return `${before}${list}${" ".repeat(room - list.length)}${after}`;
}

describe("a configuration of one MiB", () => {
  const PIECES: Record<string, string> = {
    "long strings": JSON.stringify("x".repeat(MIB - 500)),
    "short strings": '"abcdefghij"',
    "empty strings": '""',
    numbers: "1",
    fractions: "1.5",
    "objects with nothing": "{}",
    "objects with a key": `{"a":"${"x".repeat(20)}"}`,
    "objects inside of objects": `{"a":{"b":{"c":"${"x".repeat(60)}"}}}`,
    "escaped text": JSON.stringify("\u20ac".repeat(50)).replaceAll("\u20ac", "\\u20ac"),
    "white space": `"${"x".repeat(100)}"${" ".repeat(1000)}`,
  };
  test.each(Object.keys(PIECES))("of %s", async (name) => {
    using leases = new LeaseDirectory();
    const config = filled(leases, PIECES[name] ?? "", MIB);
    expect(config.length).toBe(MIB);
    const measured = await expectAdded(config);
    // Text costs less than that.
    if (name.includes("string") || name.includes("text")) expect(measured.mebibytes).toBeLessThan(64);
  });
});

describe("a configuration of sixteen MiB", () => {
  const bytes = 16 * MIB;
  /**
   * More than a million of it fill a configuration. The compact file reads a faulty one a second time, slowly, to say where:
   * with the eight million of the shortest piece this takes minutes on a busy machine.
   */
  const STRING = '"abcdefghij"';

  test.each(["1", STRING, `{"dst":"10.1.2.3/32"}`])("of %s", async (piece) => {
    using leases = new LeaseDirectory();
    await expectAdded(filled(leases, piece, bytes));
  });

  test.each([
    ["and a byte", (config: string) => `${config} `, "more than 16777216 bytes"],
    ["that is cut off", (config: string) => config.slice(0, -100), "line 1, column 16777117: unexpected end"],
    ["of brackets", () => "[".repeat(bytes), "at most 10000 levels of objects and arrays"],
    ["of blanks", () => " ".repeat(bytes), "line 1, column 16777217: unexpected end, expected a value"],
  ])("%s is refused", async (_, change, text) => {
    using leases = new LeaseDirectory();
    const measured = await measure("ADD", change(filled(leases, STRING, bytes)));
    expect(measured).toMatchObject({ exitCode: 1, msg: expect.stringContaining(text) });
    expectSmall(measured, bytes);
    expect(leases.all()).toEqual({});
  });
});

test("a configuration of more than a million objects is refused", async () => {
  using leases = new LeaseDirectory();
  const config = filled(leases, "{}", 4 * MIB);
  const measured = await measure("ADD", config);
  const msg = "cannot decode the network configuration: more than 1048576 objects and arrays";
  expect(measured).toMatchObject({ exitCode: 1, msg });
  expectSmall(measured, config.length);
});

test("an endless configuration", async () => {
  expectSmall(await measure("ADD", Bun.file("/dev/zero")), 16 * MIB);
});

describe("arrays, one in the other", () => {
  const nested = (leases: LeaseDirectory, depth: number) =>
    filled(leases, `${"[".repeat(depth)}${"]".repeat(depth)}`, 2 * depth + 1000);

  test("ten thousand", async () => {
    using leases = new LeaseDirectory();
    // The configuration itself and its key are two levels.
    await expectAdded(nested(leases, 9_998));
  });

  test.each([9_999, 30_000, MIB - 100])(
    "%i are refused, whatever the engine's parser could take",
    async (depth) => {
      using leases = new LeaseDirectory();
      const config = nested(leases, depth);
      const measured = await measure("ADD", config);
      const column = config.indexOf("[[[") + 10_000;
      const text = `line 1, column ${column}: unexpected "[", expected at most 10000 levels of objects and arrays`;
      const msg = `cannot decode the network configuration: ${text}`;
      expect(measured).toMatchObject({ exitCode: 1, msg });
      expectSmall(measured, config.length);
      expect(leases.all()).toEqual({});
    },
  );
});

test("70,000 routes in the result of each version", async () => {
  using leases = new LeaseDirectory();
  const routes = Array.from({ length: 70_000 }, (_, index) => ({
    dst: `10.${(index >> 8) & 255}.${index & 255}.0/24`,
  }));
  for (const cniVersion of ["0.2.0", "1.0.0"]) {
    const ipam = { ranges: [[{ subnet: "10.1.0.0/24" }]], routes };
    const config = JSON.stringify(leases.network(ipam, { cniVersion }));
    for (const command of ["ADD", "DEL"]) {
      const outcome = await measure(command, config);
      expect({ command, cniVersion, ...outcome }).toMatchObject({ exitCode: 0, msg: undefined });
    }
  }
});

test("10,000 ranges in one set", async () => {
  using leases = new LeaseDirectory();
  const ranges = Array.from({ length: 10_000 }, (_, index) => ({
    subnet: `10.${index >> 8}.${index & 255}.0/24`,
  }));
  const config = JSON.stringify(leases.network({ ranges: [ranges] }));
  for (const command of ["ADD", "CHECK", "STATUS", "DEL"]) {
    const measured = await measure(command, config);
    expect({ command, ...measured }).toMatchObject({ command, exitCode: 0, msg: undefined });
    expectSmall(measured, config.length);
  }
});

test("K5: GC of a node with a million attachments, in both lists of libcni, and 10,000 leases", async () => {
  using leases = new LeaseDirectory();
  const idOf = (index: number) => index.toString(16).padStart(64, "0");
  const list = `[${Array.from({ length: 1_000_000 }, (_, index) => `{"containerID":"${idOf(index)}","ifname":"eth0"}`)}]`;
  for (let index = 0; index < 10_000; index++) {
    // All but the last hundred are of valid attachments.
    const owner = index < 9900 ? index * 100 : 1_000_000 + index;
    leases.write(`10.1.${index >> 8}.${index & 255}`, `${idOf(owner)}\r\neth0`);
  }
  const network = JSON.stringify(leases.network({ ranges: [[{ subnet: "10.1.0.0/16" }]] }));
  const config = network.replace("{", `{"cni.dev/attachments":${list},"cni.dev/valid-attachments":${list},`);
  expect(config.length).toBeGreaterThan(180 * MIB);
  expect(config.length).toBeLessThan(256 * MIB);
  const measured = await measure("GC", config);
  expect(measured).toMatchObject({ exitCode: 0, msg: undefined });
  expect(measured.mebibytes).toBeLessThan(2.5 * (config.length / MIB));
  expect(Object.keys(leases.leases()).length).toBe(9900);
});

test("K9: a directory of 50,000 leases is read name by name, at first and after a change of another program", async () => {
  using leases = new LeaseDirectory();
  for (let index = 0; index < 50_000; index++) {
    leases.write(`10.1.${index >> 8}.${index & 255}`, `pod${index}\r\neth0`);
  }
  const config = JSON.stringify(leases.network({ ranges: [[{ subnet: "10.1.0.0/16" }]] }));
  for (const change of [() => {}, () => leases.write("10.1.250.9", "other\r\neth0")]) {
    change();
    const measured = await measure("ADD", config);
    expect(measured).toMatchObject({ exitCode: 0, msg: undefined });
    // An index of them, of 400 bytes each, beside the smaller one that it grew out of.
    expect(measured.mebibytes).toBeLessThan(120);
    await measure("DEL", config);
  }
});
