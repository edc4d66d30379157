/**
 * Changes the defaults of engine options in the compiled file. The engine reads options only from variables, which decision
 * 0016 closes (docs/decisions/0017-engine-options.md).
 */
import { machine, machineOf, occurrences, only, type Patch } from "./patch.ts";

/**
 * useWarmUpMarkedBlocks: at the 64th block of its heap, the engine starts a thread that prepares memory for later
 * allocations. A plugin ends before it uses that memory, which costs 6 % of the CPU time of an ADD.
 */
export function enginePatches(program: Buffer): Patch[] {
  // On other processors the code differs, so the option stays as it is.
  return machineOf(program) === machine.x64 ? [withoutWarmUp(program)] : [];
}

/** mov rax, 32 | 64 << 32; mov [warmUpMarkedBlockCount], rax: sets two options that lie next to the wanted one. */
const NEIGHBOURS = Buffer.from("48b82000000040000000488905", "hex");

/** Lengths of the instructions: addresses are relative to an instruction's end. */
const LENGTH = { set: 7, neighbours: NEIGHBOURS.length + 4 } as const;

/** mov byte [distance], 1, or mov [distance], r8b to r15b, becomes mov byte [distance], 0. */
function withoutWarmUp(program: Buffer): Patch {
  const patches = occurrences(program, NEIGHBOURS).flatMap((at) => {
    const set = program.subarray(at - LENGTH.set, at);
    const distance = distanceOf(set);
    const expected = program.readInt32LE(at + NEIGHBOURS.length) + LENGTH.neighbours - 4;
    return distance === undefined || set.readInt32LE(distance) !== expected
      ? []
      : [
          {
            offset: at - LENGTH.set,
            bytes: Buffer.of(0xc6, 0x05, ...set.subarray(distance, distance + 4), 0),
          },
        ];
  });
  return only(patches, "turn off useWarmUpMarkedBlocks", "0017-engine-options.md");
}

/** Offset of the address in the instruction; undefined when it is another instruction. */
function distanceOf(set: Buffer): number | undefined {
  if (set[0] === 0xc6 && set[1] === 0x05 && set[6] === 1) return 2;
  return set[0] === 0x44 && set[1] === 0x88 && ((set[2] ?? 0) & 0xc7) === 0x05 ? 3 : undefined;
}
