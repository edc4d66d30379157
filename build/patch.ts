/**
 * Patches the compiled file. Each place must be found as often as expected, which another version of Bun may change. The
 * build then fails for a patch that safety needs, and warns and goes on without a patch that only saves time.
 */
import { open, readFile } from "node:fs/promises";

/** New bytes for a place in the file. */
export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Applies the patches that `find` returns to the program at `path`. */
export async function patchFile(path: string, find: (program: Buffer) => readonly Patch[]): Promise<void> {
  const patches = find(await readFile(path));
  const file = await open(path, "r+");
  try {
    for (const { offset, bytes } of patches) await file.write(bytes, 0, bytes.length, offset);
  } finally {
    await file.close();
  }
}

/** The patches of `find`; none, after a warning, if their places are not found. */
export function optional(find: () => readonly Patch[], warn = console.warn): readonly Patch[] {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof PlaceError)) throw error;
    warn(`warning: plugins will start more slowly: ${error.message}`);
    return [];
  }
}

/** A place in the runtime was not found as often as expected. */
class PlaceError extends Error {}

/** Offsets of `bytes` in the program. */
export function occurrences(program: Buffer, bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = program.indexOf(bytes); at >= 0; at = program.indexOf(bytes, at + 1)) found.push(at);
  return found;
}

/** The only item of `found`. @throws Error if there is not exactly one, with the action and the decision to read */
export function only<Found>(found: readonly Found[], action: string, decision: string): Found {
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  throw notFound(found.length, "once", action, decision);
}

/** The error for places that were not found as often as expected. */
export const notFound = (count: number, wanted: string, action: string, decision: string): Error =>
  new PlaceError(
    `cannot ${action}: its place in the runtime was found ${count} times, not ${wanted}; ` +
      `read docs/decisions/${decision} before you use another version of Bun`,
  );

/** Empties a C string. The end of a longer string does not count. @throws Error as `only` does */
export function emptied(program: Buffer, text: string, action: string, decision: string): Patch {
  const found = occurrences(program, Buffer.from(`\0${text}\0`, "latin1"));
  return { offset: only(found, action, decision) + 1, bytes: Uint8Array.of(0) };
}

/** EM_X86_64 and EM_AARCH64 of uapi linux/elf-em.h. */
export const machine = { x64: 62, arm64: 183 } as const;

/** The processor of an ELF file: e_machine, at offset 18. */
export const machineOf = (program: Buffer): number => program.readUInt16LE(18);
