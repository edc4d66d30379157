/** The functions of the compact host, judged by Bun's. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import * as bun from "../../src/engine/bun.ts";
import { ProgramFolder } from "../support/program-folder.ts";
import { answers, makeProbe, values } from "./host-program.ts";

const folder = new ProgramFolder();
const probe = folder.file("probe", await makeProbe());
process.on("exit", () => folder[Symbol.dispose]());

const sample = <T>(arbitrary: fc.Arbitrary<T>, count: number): T[] => fc.sample(arbitrary, count);
/** Around the lengths at which the hashes change their ways. */
const LENGTHS = [
  0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 95, 96, 97, 127, 128, 129, 255, 256,
  1000,
];
const inputs = [
  ...LENGTHS.map((size) => crypto.getRandomValues(new Uint8Array(size))),
  ...sample(fc.uint8Array({ maxLength: 400 }), 400),
];
const texts = [
  "",
  "\ufeff",
  "\ufeff\ufeffa",
  "\ud800",
  "a\udc00b",
  "\udc00\ud800",
  "\ud83d\ude00",
  "\u{10ffff}\u07ff\u0800\uffff\ufffd",
  "\0",
  ...sample(fc.string({ unit: "binary", maxLength: 40 }), 300),
  ...sample(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }), 300).map((units) =>
    String.fromCharCode(...units),
  ),
];

test("hashes are those of the other engine, whatever the data and the seed", async () => {
  const seeds = [0n, 1n, 2n ** 63n, 2n ** 64n - 1n, ...sample(fc.bigInt(0n, 2n ** 64n - 1n), 20)];
  const calls = inputs.flatMap((data, index) => {
    const seed = seeds[index % seeds.length] ?? 0n;
    const small = Number(seed & 0xffffffffn);
    return [
      { call: ["hash64", data, seed] as const, is: bun.hash64(data, seed) },
      { call: ["hash32", data, small] as const, is: bun.hash32(data, small) },
      { call: ["sha256", data] as const, is: bun.sha256(data) },
      { call: ["sha512", data] as const, is: bun.sha512(data) },
    ];
  });
  for (const text of texts.filter((text) => text.isWellFormed()))
    calls.push({ call: ["hash64", text as never, 5n], is: bun.hash64(text, 5n) });
  expect(
    await values(
      probe,
      calls.map(({ call }) => [...call]),
    ),
  ).toEqual(calls.map(({ is }) => is));
});

test("text to bytes and back is Bun's: lone surrogates, marks, what fits", async () => {
  const encoder = new TextEncoder();
  const calls: [string, ...unknown[]][] = [];
  const expected: unknown[] = [];
  for (const text of texts) {
    calls.push(["textEncode", text]);
    expected.push(encoder.encode(text));
    for (const size of [0, 1, 2, 3, 5, 8, 100]) {
      const array = new Uint8Array(size).fill(0xff);
      const { read, written } = encoder.encodeInto(text, array);
      calls.push(["textEncodeInto", text, size]);
      expected.push([read, written, array]);
    }
  }
  expect(await values(probe, calls)).toEqual(expected);
});

test("bytes to text are Bun's: faults are an error or U+FFFD, and a mark is kept when that is asked for", async () => {
  const faulty = sample(
    fc.array(
      fc.constantFrom(
        0x41,
        0x80,
        0xbf,
        0xc0,
        0xc2,
        0xe0,
        0xa0,
        0xed,
        0x9f,
        0xef,
        0xbb,
        0xf0,
        0x90,
        0xf4,
        0x8f,
        0xff,
      ),
      { maxLength: 9 },
    ),
    1500,
  );
  const all = [
    ...faulty.map((bytes) => Uint8Array.from(bytes)),
    ...inputs,
    ...texts.map((text) => new TextEncoder().encode(text)),
  ];
  const cases = all.flatMap((bytes) =>
    [true, false].flatMap((fatal) => [true, false].map((ignoreBOM) => ({ bytes, fatal, ignoreBOM }))),
  );
  const found = await answers(
    probe,
    cases.map(({ bytes, fatal, ignoreBOM }) => ["textDecode", bytes, fatal, ignoreBOM]),
  );
  const expected = cases.map(({ bytes, fatal, ignoreBOM }) => {
    try {
      return { value: new TextDecoder("utf-8", { fatal, ignoreBOM }).decode(bytes) };
    } catch {
      return { thrown: "TypeError: the bytes are not UTF-8" };
    }
  });
  expect(found).toEqual(expected);
  expect(new Set(expected.map(({ thrown }) => thrown)).size).toBe(2);
});

test("bytes as Latin 1 are one character each, also beyond what a call takes as arguments", async () => {
  const inputs = [Uint8Array.from({ length: 256 }, (_, byte) => byte), new Uint8Array(70_000).fill(0xc3)];
  const found = (await values(
    probe,
    inputs.map((bytes) => ["textLatin1", bytes]),
  )) as string[];
  // Not TextDecoder, whose latin1 is windows-1252.
  expect(found).toEqual(inputs.map((bytes) => Buffer.from(bytes).toString("latin1")));
});

test("a system call gets numbers of all sizes, and answers with a negative error number", async () => {
  const [LSEEK, WRITE, CLOSE, DUP2] = [8, 1, 3, 33];
  const path = folder.file("sparse", "");
  const [fd] = await values(probe, [["open", path]]);
  expect(fd).toBeGreaterThan(2);
  const far = 2 ** 40 + 5;
  expect(
    await values(probe, [
      ["open", path],
      ["syscall", LSEEK, fd, far, 0],
      ["syscall", LSEEK, fd, -5, 1],
      ["syscall", LSEEK, fd, -1, 0],
      ["syscall", CLOSE, -1],
      ["syscall", WRITE, fd, null, 5],
      ["syscall", WRITE, fd, new Uint8Array([1, 2, 3]), 3],
      ["syscall", DUP2, fd, fd],
    ]),
  ).toEqual([fd, far, far - 5, -22, -9, -14, 3, fd]);
});

test("what is neither a number nor memory, or is memory no more, is an exception", async () => {
  const found = await answers(probe, [
    ["syscall", 39, "text"],
    ["ofDetached"],
    ["interruptBy", 0],
    ["interruptBy", 65],
    ["address", "text"],
    ["spawn", "/nowhere", [], [], [0, 1, 2]],
    ["pause", -1],
    ["pause", 0.5],
    ["interrupted"],
  ]);
  expect(found).toEqual([
    { thrown: "TypeError: a system call takes numbers, arrays and null" },
    { thrown: expect.stringMatching(/^TypeError: ArrayBuffer is detached/) },
    // Not signals: as with the other engine, nothing happens.
    { value: undefined },
    { value: undefined },
    { thrown: expect.stringMatching(/^TypeError: not a TypedArray/) },
    { value: -2 },
    { value: undefined },
    { value: undefined },
    // EINTR: SIGALRM ended the wait, and not the process.
    { value: -4 },
  ] as never);
});

test("the program knows its name, its arguments and its variables, of two with one name the first", async () => {
  const found = await values(probe, [["programName"], ["programArguments"], ["environment"]], {
    A: "\u00e4=",
    "B C": "",
  });
  expect(found).toEqual([probe, ["first", "second"], { A: "\u00e4=", "B C": "" }]);
});

test("memory that is taken, grown and freed at random keeps its content", async () => {
  const calls = Array.from({ length: 4 }, (_, seed): [string, number, number] => ["churn", 150, seed]);
  expect(await values(probe, calls)).toEqual(calls.map(() => [0, 0]));
});

test("the engine has no parser of JavaScript: eval and Function fail, and its messages are not in the file", async () => {
  const found = await answers(probe, [
    ["evaluate", "1"],
    ["construct", "return 1"],
  ]);
  for (const { thrown } of found) expect(thrown).toMatch(/^\w*Error: /);
  const file = await Bun.file(probe).text();
  for (const message of [
    "missing formal parameter",
    "duplicate label name",
    "invalid redefinition of lexical identifier",
  ])
    expect(file).not.toContain(message);
  // Messages of what is there are.
  expect(file).toContain("Maximum call stack size exceeded");
});
