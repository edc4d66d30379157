/**
 * Disables the variables that would turn a plugin into something else: BUN_BE_BUN makes it the bun command line,
 * BUN_OPTIONS runs other code in it, BUN_JSC_watchdog ends it early with exit code 0. Bun obeys them before any code of
 * the program runs, and no option prevents that. So their names are emptied in the compiled file: a variable with an empty
 * name cannot be set. See docs/decisions/0016-closed-variables.md.
 */
import { emptied, machine, machineOf, only, type Patch } from "./patch.ts";

/** Names that the runtime passes to getenv(3). */
const NAMES = [
  "BUN_BE_BUN",
  "BUN_BYTECODE_DIGEST_OUT",
  "BUN_BYTECODE_ORDER_OUT",
  "BUN_DESTRUCT_VM_ON_EXIT",
  "BUN_FEATURE_FLAG_NO_ORPHANS",
  "BUN_INSPECT",
  "BUN_INSPECT_CONNECT_TO",
  "BUN_OPTIONS",
  "JSC_SIGNAL_FOR_GC",
  "JavaScriptCoreUseJIT",
  "NODE_CHANNEL_FD",
] as const;

/** Names that only programs for x64 contain. */
const NAMES_X64 = ["SIMDUTF_FORCE_IMPLEMENTATION"] as const;

/** The runtime searches for variables with this prefix, character by character. */
const PREFIX = "BUN_JSC_";

/** Empties the names. @throws Error when a place is not found exactly once, or for another processor */
export function variablePatches(program: Buffer): Patch[] {
  switch (machineOf(program)) {
    case machine.x64:
      return [...[...NAMES, ...NAMES_X64].map((name) => closed(program, name)), prefixX64(program)];
    case machine.arm64:
      return [...NAMES.map((name) => closed(program, name)), prefixArm64(program)];
    default:
      throw new Error(`cannot close variables: ELF machine ${machineOf(program)} is not supported`);
  }
}

const DECISION = "0016-closed-variables.md";
const closing = (name: string): string => `close the variable ${name}`;
const theOnly = (name: string, offsets: readonly number[]): number => only(offsets, closing(name), DECISION);
const closed = (program: Buffer, name: string): Patch => emptied(program, name, closing(name), DECISION);

/**
 * cmp byte [register + index], character; jne next: 80, mod and register, (index), character; 75, distance. For the upper
 * registers a byte 41 precedes it. The first jump is made unconditional, so that no variable has the prefix.
 */
function prefixX64(program: Buffer): Patch {
  const text = program.toString("latin1");
  const compare = [...PREFIX].map((character, index) => {
    const code = hex(character.charCodeAt(0));
    return index === 0 ? `\\x80[\\x38-\\x3f]${code}` : `\\x41?\\x80[\\x78-\\x7f]${hex(index)}${code}`;
  });
  const pattern = new RegExp(compare.join("\\x75[^]"), "g");
  const offset =
    theOnly(
      `${PREFIX}*`,
      [...text.matchAll(pattern)].map(({ index }) => index),
    ) + 3;
  return { offset, bytes: Uint8Array.of(0xeb) };
}

const hex = (value: number): string => `\\x${value.toString(16).padStart(2, "0")}`;

/** ldrb; cmp register, #character; b.ne next. The first branch is made unconditional. */
function prefixArm64(program: Buffer): Patch {
  const words = new Uint32Array(program.buffer, program.byteOffset, Math.floor(program.length / 4));
  const isCompare = (at: number, character: string): boolean =>
    ((words[at] ?? 0) & 0xfffffc1f) >>> 0 === (0x7100001f | (character.charCodeAt(0) << 10)) >>> 0;
  const isNotEqual = (at: number): boolean => ((words[at] ?? 0) & 0xff00001f) >>> 0 === 0x54000001;
  const isPrefix = (at: number): boolean =>
    [...PREFIX].every(
      (character, index) => isCompare(at + 3 * index, character) && isNotEqual(at + 3 * index + 1),
    );
  const found: number[] = [];
  for (let at = 0; at < words.length; at++) if (isCompare(at, "B") && isPrefix(at)) found.push(at + 1);
  const at = theOnly(`${PREFIX}*`, found);
  // b.cond has a signed distance of 19 bits from bit 5 on, b one of 26 bits from bit 0 on.
  const distance = ((words[at] ?? 0) << 8) >> 13;
  const branch = new Uint8Array(Uint32Array.of((0x14000000 | (distance & 0x3ffffff)) >>> 0).buffer);
  return { offset: at * 4, bytes: branch };
}
