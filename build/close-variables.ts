/**
 * Closes the variables by which anyone who starts a plugin could turn it into something else: BUN_BE_BUN makes the bun
 * command line of it, BUN_OPTIONS runs other code in it, BUN_JSC_watchdog ends it with exit code 0 and nothing done.
 * Bun obeys them before any code of the program runs and has no option against that. So the names are taken out of the
 * compiled file: what nobody can name nobody can set. See docs/decisions/0016-closed-variables.md.
 *
 * Each place must be found exactly once. Another version of Bun may have others: then the build fails, and whoever
 * changes the version looks again.
 */
import { open, readFile } from "node:fs/promises";

/** Names that the runtime asks getenv(3) for. The empty name that is left matches no variable. */
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

/** Names that only the programs for x64 have. */
const NAMES_X64 = ["SIMDUTF_FORCE_IMPLEMENTATION"] as const;

/** Where the runtime looks for variables that begin so, character by character. */
const PREFIX = "BUN_JSC_";

/** Bytes that take the place of others. */
interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Takes the names out of a compiled file. @throws Error when a place is not there, or not once. */
export async function closeVariables(path: string): Promise<void> {
  const program = await readFile(path);
  const patches = patchesFor(program);
  const file = await open(path, "r+");
  try {
    for (const { offset, bytes } of patches) await file.write(bytes, 0, bytes.length, offset);
  } finally {
    await file.close();
  }
}

/** EM_X86_64 and EM_AARCH64 of uapi linux/elf-em.h, at offset 18 of an ELF file. */
const MACHINES: Readonly<Record<number, (program: Buffer) => Patch[]>> = {
  62: (program) => [...[...NAMES, ...NAMES_X64].map((name) => emptied(program, name)), prefixX64(program)],
  183: (program) => [...NAMES.map((name) => emptied(program, name)), prefixArm64(program)],
};

export function patchesFor(program: Buffer): Patch[] {
  const machine = program.readUInt16LE(18);
  const patches = MACHINES[machine];
  if (patches === undefined) throw new Error(`machine ${machine} of an ELF file: no place of it is known`);
  return patches(program);
}

/** The name as a C string of its own: the end of another one does not count. */
function emptied(program: Buffer, name: string): Patch {
  const text = Buffer.from(`\0${name}\0`, "latin1");
  return { offset: only(name, occurrences(program, text)) + 1, bytes: Uint8Array.of(0) };
}

function occurrences(program: Buffer, bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = program.indexOf(bytes); at >= 0; at = program.indexOf(bytes, at + 1)) found.push(at);
  return found;
}

function only(name: string, offsets: readonly number[]): number {
  const [offset] = offsets;
  if (offset !== undefined && offsets.length === 1) return offset;
  throw new Error(
    `cannot close the variable ${name}: its place in the runtime was found ${offsets.length} times, not once; ` +
      "see docs/decisions/0016-closed-variables.md before another version of Bun is used",
  );
}

/**
 * cmp byte [register + index], character; jne next: 80, mod and register, (index), character; 75, distance. A prefix
 * byte 41 stands before it for the upper registers. The first jump becomes one without a condition: nothing begins so.
 */
function prefixX64(program: Buffer): Patch {
  const text = program.toString("latin1");
  const compare = [...PREFIX].map((character, index) => {
    const code = hex(character.charCodeAt(0));
    return index === 0 ? `\\x80[\\x38-\\x3f]${code}` : `\\x41?\\x80[\\x78-\\x7f]${hex(index)}${code}`;
  });
  const pattern = new RegExp(compare.join("\\x75[^]"), "g");
  const offset =
    only(
      `${PREFIX}*`,
      [...text.matchAll(pattern)].map(({ index }) => index),
    ) + 3;
  return { offset, bytes: Uint8Array.of(0xeb) };
}

const hex = (value: number): string => `\\x${value.toString(16).padStart(2, "0")}`;

/** ldrb; cmp register, #character; b.ne next. The first branch becomes one without a condition. */
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
  const at = only(`${PREFIX}*`, found);
  // b.cond has a signed distance of 19 bits from bit 5 on, b one of 26 bits.
  const distance = ((words[at] ?? 0) << 8) >> 13;
  const branch = new Uint8Array(Uint32Array.of((0x14000000 | (distance & 0x3ffffff)) >>> 0).buffer);
  return { offset: at * 4, bytes: branch };
}
