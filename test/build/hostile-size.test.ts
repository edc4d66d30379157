/** The largest inputs, legal or not: less than 64 MiB of memory, and one document. */
import { describe, expect, test } from "bun:test";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { builtBinaries } from "../support/plugin-call.ts";

const MIB = 2 ** 20;
const PEAK_MEMORY = `${import.meta.dir}/../support/peak-memory.ts`;

interface Measured {
  readonly exitCode: number;
  readonly msg: string | undefined;
  readonly mebibytes: number;
}

async function measure(command: string, stdin: string | Bun.BunFile): Promise<Measured> {
  const child = Bun.spawn([process.execPath, PEAK_MEMORY, `${builtBinaries()}/host-local`], {
    stdin: typeof stdin === "string" ? Buffer.from(stdin) : stdin,
    stdout: "pipe",
    stderr: "pipe",
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: "c1",
      CNI_NETNS: "/nowhere",
      CNI_IFNAME: "eth0",
      CNI_PATH: "/nowhere",
    },
  });
  const stdout = await new Response(child.stdout).text();
  const bytes = Number(await new Response(child.stderr).text());
  const exitCode = await child.exited;
  const { msg } = (stdout === "" ? {} : JSON.parse(stdout)) as { msg?: string };
  return { exitCode, msg, mebibytes: bytes / MIB };
}

function expectSmall({ mebibytes }: Measured): void {
  expect(mebibytes).toBeGreaterThan(1);
  expect(mebibytes).toBeLessThan(64);
}

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
    "objects with a key": `{"a":"${"x".repeat(20)}"}`,
    "objects inside of objects": `{"a":{"b":{"c":"${"x".repeat(60)}"}}}`,
    "escaped text": JSON.stringify("\u20ac".repeat(50)).replaceAll("\u20ac", "\\u20ac"),
    "white space": `"${"x".repeat(100)}"${" ".repeat(1000)}`,
  };
  test.each(Object.keys(PIECES))("of %s", async (name) => {
    using leases = new LeaseDirectory();
    const config = filled(leases, PIECES[name] ?? "", MIB);
    expect(config.length).toBe(MIB);
    const measured = await measure("ADD", config);
    expect(measured).toMatchObject({ exitCode: 0, msg: undefined });
    expectSmall(measured);
  });

  test.each([
    ["and a byte", (config: string) => `${config} `, "more than 1048576 bytes"],
    [
      "of empty objects",
      (config: string) => config.replace(/\[(1,)+1/, `[${"{},".repeat(340_000)}{}`),
      "more than 65536 objects and arrays",
    ],
    ["that is cut off", (config: string) => config.slice(0, -100), "JSON Parse error"],
    ["of brackets", () => "[".repeat(MIB), "more than 65536 objects and arrays"],
    ["of blanks", () => " ".repeat(MIB), "JSON Parse error: Unexpected EOF"],
  ])("%s is refused", async (_, change, text) => {
    using leases = new LeaseDirectory();
    const measured = await measure("ADD", change(filled(leases, "1", MIB)));
    expect(measured).toMatchObject({ exitCode: 1, msg: expect.stringContaining(text) });
    expectSmall(measured);
    expect(leases.all()).toEqual({});
  });
});

test("an endless configuration", async () => {
  expectSmall(await measure("ADD", Bun.file("/dev/zero")));
});

test("65,000 arrays, one in the other", async () => {
  using leases = new LeaseDirectory();
  const config = filled(leases, `${"[".repeat(65_000)}${"]".repeat(65_000)}`, 140_000);
  const measured = await measure("ADD", config);
  expect(measured).toMatchObject({ exitCode: 0, msg: undefined });
  expectSmall(measured);
});

test("10,000 ranges in one set", async () => {
  using leases = new LeaseDirectory();
  const ranges = Array.from({ length: 10_000 }, (_, index) => ({
    subnet: `10.${index >> 8}.${index & 255}.0/24`,
  }));
  for (const command of ["ADD", "CHECK", "STATUS", "DEL"]) {
    const measured = await measure(command, JSON.stringify(leases.network({ ranges: [ranges] })));
    expect({ command, ...measured }).toMatchObject({ command, exitCode: 0, msg: undefined });
    expectSmall(measured);
  }
});

test("GC with 10,000 attachments that live", async () => {
  using leases = new LeaseDirectory();
  const attachments = Array.from({ length: 10_000 }, (_, index) => ({
    containerID: index.toString(16).padStart(64, "0"),
    ifname: "eth0",
  }));
  const whole = { "cni.dev/valid-attachments": attachments };
  leases.write("10.1.0.9", `${attachments[77]?.containerID}\r\neth0`);
  const measured = await measure(
    "GC",
    JSON.stringify(leases.network({ ranges: [[{ subnet: "10.1.0.0/24" }]] }, whole)),
  );
  expect(measured).toMatchObject({ exitCode: 0, msg: undefined });
  expectSmall(measured);
  expect(Object.keys(leases.leases())).toEqual(["10.1.0.9"]);
});
