/**
 * A program of the tests on the compact host: reads calls from standard input, as host-program.ts writes them, and prints
 * what each returns or throws.
 */
import * as engine from "#engine";
import { O } from "../../src/sys/file.ts";
import { type Call, decode, encode } from "./wire.ts";

/** The global object of the host (compact/src/main.rs). */
declare const host: Record<string, (...args: unknown[]) => unknown>;

const READ = engine.architecture === "arm64" ? 63 : 0;

/** Calls besides those of src/engine and the host. */
const OTHERS: Record<string, (...args: never[]) => unknown> = {
  textEncode: (text: string) => new TextEncoder().encode(text),
  textEncodeInto: (text: string, size: number) => {
    const array = new Uint8Array(size).fill(0xff);
    const { read, written } = new TextEncoder().encodeInto(text, array);
    return [read, written, array];
  },
  textDecode: (bytes: Uint8Array, fatal: boolean, ignoreBOM: boolean) =>
    new TextDecoder("utf-8", { fatal, ignoreBOM }).decode(bytes),
  textLatin1: (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes),
  evaluate: (text: string) => (globalThis as unknown as { eval: (text: string) => unknown }).eval(text),
  construct: (text: string) => new Function(text)(),
  ofDetached: () => {
    const bytes = new Uint8Array(8);
    bytes.buffer.transfer();
    return engine.syscall(1, 1, bytes, 8);
  },
  /** Blocks of random sizes, each full of one byte, grown and dropped at random. Returns how many were other than written. */
  churn: (steps: number, seed: number) => {
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % below;
    };
    const held: { bytes: Uint8Array; list: number[]; text: string; mark: number }[] = [];
    const isWhole = ({ bytes, list, text, mark }: (typeof held)[number]) =>
      bytes.every((byte) => byte === mark) &&
      list.every((each) => each === mark) &&
      text === `${mark}`.repeat(text.length / `${mark}`.length);
    let wrong = 0;
    for (let step = 0; step < steps; step++) {
      const at = random(64);
      const before = held[at];
      if (before !== undefined && !isWhole(before)) wrong++;
      const mark = random(250);
      const size = random(8) === 0 ? random(700_000) : random(5000);
      if (before !== undefined && random(3) === 0)
        for (let more = 0; more < size; more++) before.list.push(before.mark);
      else
        held[at] = {
          bytes: new Uint8Array(size).fill(mark),
          list: Array(random(3000)).fill(mark),
          text: `${mark}`.repeat(random(900)),
          mark,
        };
    }
    return [wrong, held.filter((each) => each !== undefined && !isWhole(each)).length];
  },
  interrupted: () => {
    const again = engine.interruptBy(14);
    const timer = new BigInt64Array([0n, 0n, 0n, 5000n]);
    engine.syscall(38, 0, timer, null);
    const slept = engine.syscall(35, new BigInt64Array([30n, 0n]), null);
    again();
    return slept;
  },
  open: (path: string) =>
    engine.syscall(257, -100, new TextEncoder().encode(`${path}\0`), O.CREAT | 1, 0o600),
  parse: (text: string) => JSON.parse(text).length,
};

function readAll(): string {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = new Uint8Array(65536);
    const count = engine.syscall(READ, 0, piece, piece.length);
    if (count <= 0) return new TextDecoder().decode(engine.concatenated(pieces));
    pieces.push(piece.subarray(0, count));
  }
}

engine.begin(async () => {
  const calls = JSON.parse(readAll()) as Call[];
  const known = { ...engine, ...OTHERS } as unknown as Record<string, (...args: unknown[]) => unknown>;
  const answers = calls.map(({ name, args }) => {
    try {
      const what = known[name] ?? host[name];
      return { value: encode(typeof what === "function" ? what(...args.map(decode)) : what) };
    } catch (thrown) {
      return { thrown: String(thrown) };
    }
  });
  engine.print(1, JSON.stringify(answers));
  return 7;
});
