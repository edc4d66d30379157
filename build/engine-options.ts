/**
 * Options of the JavaScript engine that a plugin is better off without. The engine takes options from variables only,
 * which decision 0016 closes; so their defaults are changed in the compiled file (docs/decisions/0017-engine-options.md).
 */
import { machine, machineOf, occurrences, only, type Patch } from "./patch.ts";

/**
 * useWarmUpMarkedBlocks: from the 64th block of its heap on, the engine starts a thread that makes memory ready for
 * what a long-lived program will allocate. A plugin has ended by then: 6 % of the CPU time of an ADD.
 */
export function enginePatches(program: Buffer): Patch[] {
  // On other processors the code looks different and the option stays as it is.
  return machineOf(program) === machine.x64 ? [withoutWarmUp(program)] : [];
}

/** mov rax, 32 | 64 << 32; mov [warmUpMarkedBlockCount], rax: two options whose place is next to that of the first. */
const NEIGHBOURS = Buffer.from("48b82000000040000000488905", "hex");

/** Places are told by their distance from the end of the instruction. */
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

/** Where in the instruction the distance stands; undefined when it is another instruction. */
function distanceOf(set: Buffer): number | undefined {
  if (set[0] === 0xc6 && set[1] === 0x05 && set[6] === 1) return 2;
  return set[0] === 0x44 && set[1] === 0x88 && ((set[2] ?? 0) & 0xc7) === 0x05 ? 3 : undefined;
}
