/** Finds the requirements of a compiled file (README, "What it needs"). */
import { machine, machineOf } from "./patch.ts";

/** Bytes at the start of the file that hold the program headers and the loader's name. */
const HEADERS = 4096;

/** PT_INTERP of elf.h: the program header that names the system's loader. */
const INTERPRETER = 3;

/** Whether an ELF program of 64 bits is started by the system's loader, with the C library; a static one is not. */
export function hasLoader(program: Buffer): boolean {
  const start = Number(program.readBigUInt64LE(32));
  const [size, count] = [program.readUInt16LE(54), program.readUInt16LE(56)];
  for (let index = 0; index < count; index++) {
    if (program.readUInt32LE(start + index * size) === INTERPRETER) return true;
  }
  return false;
}

/**
 * "glibc 2.17, x86-64 with SSE4.2 and POPCNT", or "nothing but Linux, x86-64" of a static program.
 * @throws Error for a file that is linked with another C library
 */
export function needsOf(program: Buffer): string {
  if (!hasLoader(program))
    return `nothing but Linux, ${machineOf(program) === machine.x64 ? "x86-64" : "arm64"}`;
  const text = program.toString("latin1");
  const processor = machineOf(program) === machine.x64 ? "x86-64 with SSE4.2 and POPCNT" : "arm64";
  // The versions of symbols are C strings anywhere in the file.
  if (text.slice(0, HEADERS).includes("/lib/ld-musl-")) return `musl, libstdc++ 6.0.30, ${processor}`;
  const versions = [...text.matchAll(/\0GLIBC_2\.(\d+)(?=\0)/g)].map(([, minor]) => Number(minor));
  if (versions.length === 0) throw new Error("the compiled file is linked with neither glibc nor musl");
  return `glibc 2.${Math.max(...versions)}, ${processor}`;
}
