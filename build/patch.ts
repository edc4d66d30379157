/**
 * Changes of the compiled file. Each place must be found exactly once: another version of Bun may have others. The build
 * fails then for a change that safety needs, and warns and goes on without one that only saves time.
 */
import { open, readFile } from "node:fs/promises";

/** Bytes that take the place of others. */
export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Changes the program at `path` where `find` says. */
export async function patchFile(path: string, find: (program: Buffer) => readonly Patch[]): Promise<void> {
  const patches = find(await readFile(path));
  const file = await open(path, "r+");
  try {
    for (const { offset, bytes } of patches) await file.write(bytes, 0, bytes.length, offset);
  } finally {
    await file.close();
  }
}

/** What `find` finds; nothing, after a warning, where the places are not as the build knows them. */
export function optional(find: () => readonly Patch[], warn = console.warn): readonly Patch[] {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof PlaceError)) throw error;
    warn(`warning: plugins will start more slowly: ${error.message}`);
    return [];
  }
}

/** A place in the runtime was not found, or not as often as in the version that the build knows. */
class PlaceError extends Error {}

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
  throw notFound(found.length, "once", action, decision);
}

/** The error for places that are not as often in the runtime as they were in the version that the build knows. */
export const notFound = (count: number, wanted: string, action: string, decision: string): Error =>
  new PlaceError(
    `cannot ${action}: its place in the runtime was found ${count} times, not ${wanted}; ` +
      `see docs/decisions/${decision} before another version of Bun is used`,
  );

/** Makes a C string empty. One of its own: the end of another does not count. @throws Error as `only` does. */
export function emptied(program: Buffer, text: string, action: string, decision: string): Patch {
  const found = occurrences(program, Buffer.from(`\0${text}\0`, "latin1"));
  return { offset: only(found, action, decision) + 1, bytes: Uint8Array.of(0) };
}

/** EM_X86_64 and EM_AARCH64 of uapi linux/elf-em.h. */
export const machine = { x64: 62, arm64: 183 } as const;

/** For which processor an ELF file is: e_machine, at offset 18. */
export const machineOf = (program: Buffer): number => program.readUInt16LE(18);
