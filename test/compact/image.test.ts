/** The image of the heap: what is in it, and what the build says of a faulty bundle. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { makeImage } from "../../build/compact.ts";
import { withImage } from "../../build/heap-image.ts";
import { outcomeOf, outputOf } from "../support/command.ts";
import { ProgramFolder } from "../support/program-folder.ts";
import { bareProgram, bundleOf, fileOf } from "./host-program.ts";

const SAY = (text: string) => `host.syscall(1, 1, host.encode(${text}), host.encode(${text}).length);`;
const MAIN = `let made = "made"; host.main = () => { ${SAY("made")} host.load("other.js").then((other) => other.say(), (error) => { ${SAY("error.message")} }).then(() => host.syscall(231, 3)); };`;
const OTHER = `export const say = () => { ${SAY('" and loaded"')} };`;

async function run(file: Buffer): Promise<string> {
  using folder = new ProgramFolder();
  const { exitCode, stdout } = await outcomeOf([folder.file("program", file)]);
  return `${exitCode}: ${stdout}`;
}

const WHOLE = bundleOf([
  ["main.js", MAIN],
  ["", ""],
  ["other.js", OTHER],
  ["", ""],
]);

test("a program starts from its image, and loads the other chunks", async () => {
  expect(await run(fileOf(WHOLE))).toBe("3: made and loaded");
});

test("chunks that are packed, and those that they refer to, are what they were", async () => {
  // Twelve of these take more than the part of the bundle that is not packed.
  const texts = Array.from({ length: 12 }, (_, index) =>
    Array.from({ length: 400 }, (_, line) => `${line} of ${index}: ${line ** 3 % 1009}`).join(";"),
  );
  const load =
    "host.load(names.shift()).then(({ text }) => { all += text; return names.length ? next() : all; })";
  const names = texts.map((_, index) => `${index}.js`);
  const compiled = bundleOf([
    [
      "main.js",
      `let all = ""; const names = ${JSON.stringify(names)}; const next = () => ${load}; host.main = () => next().then((all) => { ${SAY("all")} host.syscall(231, 3); });`,
    ],
    ["", ""],
    ...texts.map((text, index) => [`${index}.js`, `export const text = "${text}";`] as const),
    ["", ""],
  ]);
  expect(compiled.length).toBeLessThan(texts.join("").length - 10_000);
  expect(await run(fileOf(compiled))).toBe(`3: ${texts.join("")}`);
});

test("a chunk that is missing is an exception of import(), which names it", async () => {
  const compiled = bundleOf([
    ["main.js", MAIN],
    ["", ""],
    ["another.js", OTHER],
    ["", ""],
  ]);
  expect(await run(fileOf(compiled))).toBe("3: madethere is no chunk other.js");
});

test("an exception that the program does not catch is one error object", async () => {
  const compiled = bundleOf([
    ["main.js", "host.main = () => { throw 1; };"],
    ["", ""],
    ["o.js", ""],
    ["", ""],
  ]);
  const [code, text] = (await run(fileOf(compiled))).split(/: (.*)/s);
  expect({ code, ...JSON.parse(text ?? "") }).toEqual({
    code: 999,
    cniVersion: "1.1.0",
    msg: "this is a fault of Bridgehead: its JavaScript engine ended early; please report it, with the configuration",
  });
});

test("the image has nothing of the environment, the time and the addresses of the process", async () => {
  const images = [{}, { A: "b".repeat(5000) }, { PATH: "/" }].map((env) =>
    makeImage([bareProgram], WHOLE, env),
  );
  images.push(
    makeImage(["setarch", "-R", bareProgram], WHOLE),
    makeImage(["sh", "-c", `cd / && exec "$0" a b c`, bareProgram], WHOLE),
  );
  for (const image of images) expect(image.equals(images[0] ?? Buffer.alloc(0))).toBe(true);
});

test("what makes the image is not in the finished file, and no image may refer to it", async () => {
  using folder = new ProgramFolder();
  const segmentsOf = async (path: string) =>
    (await outputOf(["readelf", "-lW", path])).split("\n").filter((line) => /^ +LOAD /.test(line));
  const bare = await segmentsOf(bareProgram);
  const maker = Number(bare.at(-1)?.split(/ +/)[3]);
  const addresses = (segments: readonly string[]) => segments.map((line) => line.split(/ +/)[3]);
  const file = folder.file("program", fileOf(WHOLE));
  expect(addresses(await segmentsOf(file))).toEqual(addresses(bare).slice(0, -1));

  const program = readFileSync(bareProgram);
  const imageWith = (address: number) => Buffer.from(BigUint64Array.of(0n, BigInt(address), 1n).buffer);
  expect(() => withImage(program, imageWith(maker))).toThrow("the image refers to what has made it");
  expect(withImage(program, imageWith(maker - 1)).length).toBeGreaterThan(0);
});

test("a bundle that is cut off anywhere, or is none, makes no image", () => {
  const cuts = [0, 1, 5, 9, 20, WHOLE.length >> 1, WHOLE.length - 3, WHOLE.length - 1];
  for (const cut of cuts)
    expect(() => makeImage([bareProgram], WHOLE.subarray(0, cut))).toThrow(/: the bundle is not whole$/m);
  expect(() => makeImage([bareProgram], Buffer.from("main.js\0x\0code"))).toThrow("the bundle is not whole");
});

test.each([
  ["throws", "throw new Error('so');", /main\.js: Error: so/],
  ["imports a chunk that is missing", "import './missing.js';", /there is no chunk missing\.js/],
  ["loads a chunk", "host.load('other.js');", /main\.js: TypeError: not a function/],
  ["calls the system", "host.syscall(39);", /main\.js: InternalError: out of memory/],
  ["calls it and goes on", "try { host.syscall(39); } catch {}", /the sources call the system/],
  [
    // The sources are loaded twice, and the memory of the image is the second one's.
    "makes other objects when they lie elsewhere",
    "globalThis.one = new Uint8Array(600); if (host.address(one) < 2 ** 32) globalThis.more = Array(900).fill(1);",
    /the sources do not load as they did before/,
  ],
  [
    "makes more objects than there is room for",
    "globalThis.all = Array.from({ length: 50_000 }, () => ({}));",
    /no more room/,
  ],
  ["takes all memory", "globalThis.all = []; for (;;) all.push({});", /main\.js: /],
  ["makes one that is too large", "globalThis.all = new Uint8Array(300000);", /no more room/],
])("a program that %s while it is loaded makes no image", (_, text, message) => {
  const compiled = bundleOf([
    ["main.js", text],
    ["", ""],
    ["other.js", OTHER],
    ["", ""],
  ]);
  expect(() => makeImage([bareProgram], compiled)).toThrow(message);
});
