/**
 * Changes of the compiled file. Each place must be found exactly once: another version of Bun may have others, then the
 * build fails, and whoever changes the version looks again.
 */
import { open, readFile, rename } from "node:fs/promises";

/** Bytes that take the place of others. */
export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * The file is written in pieces of this size, in bytes. Linux keeps what is written at once in one piece of its page
 * cache, and maps that much around each page that a program touches: with pieces of 4 KiB, as Bun leaves them, a start
 * takes 7 % longer; with larger ones each start maps more memory than it needs (docs/performance.md).
 */
const PIECE = 64 * 1024;

/** Writes the program at `path` anew with the patches that `find` says. The new file takes the place of the old one. */
export async function patchFile(path: string, find: (program: Buffer) => readonly Patch[]): Promise<void> {
  const program = await readFile(path);
  for (const { offset, bytes } of find(program)) program.set(bytes, offset);
  const patched = `${path}.patched`;
  const file = await open(patched, "wx");
  try {
    await file.chmod(0o755);
    for (let at = 0; at < program.length; )
      at += (await file.write(program, at, Math.min(PIECE, program.length - at))).bytesWritten;
  } finally {
    await file.close();
  }
  await rename(patched, path);
}

/** Where `bytes` stand in the program. */
export function occurrences(program: Buffer, bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = program.indexOf(bytes); at >= 0; at = program.indexOf(bytes, at + 1)) found.push(at);
  return found;
}

/** The only one of what was found. @throws Error that says what could not be done, and which decision to read. */
export function only<Found>(found: readonly Found[], action: string, decision: string): Found {
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  throw new Error(
    `cannot ${action}: its place in the runtime was found ${found.length} times, not once; ` +
      `see docs/decisions/${decision} before another version of Bun is used`,
  );
}

/** EM_X86_64 and EM_AARCH64 of uapi linux/elf-em.h. */
export const machine = { x64: 62, arm64: 183 } as const;

/** For which processor an ELF file is: e_machine, at offset 18. */
export const machineOf = (program: Buffer): number => program.readUInt16LE(18);
