/**
 * Options of the JavaScript engine that a plugin is better off without. The engine takes options from variables only,
 * which decision 0016 closes; so their defaults are changed in the compiled file (docs/decisions/0017-engine-options.md).
 */
import { machine, machineOf, occurrences, only, type Patch } from "./patch.ts";

/**
 * useWarmUpMarkedBlocks: from the 64th block of its heap on, the engine starts a thread that makes memory ready for
 * what a long-lived program will allocate. A plugin has ended by then: 10 % of the CPU time of an ADD.
 */
export function enginePatches(program: Buffer): Patch[] {
  // On other processors the code looks different and the option stays as it is.
  return machineOf(program) === machine.x64 ? [withoutWarmUp(program)] : [];
}

/** mov byte [useWarmUpMarkedBlocks], 1: this, four bytes of address, and the value. */
const OPCODE = 0xc605;

/** mov rax, 32 | 64 << 32; mov [warmUpMarkedBlockCount], rax: the defaults of two options that stand beside it. */
const NEIGHBOURS = Buffer.from("48b82000000040000000488905", "hex");

function withoutWarmUp(program: Buffer): Patch {
  const found = occurrences(program, NEIGHBOURS).filter(
    (at) => program.readUInt16BE(at - 7) === OPCODE && program[at - 1] === 1,
  );
  const offset = only(found, "turn off useWarmUpMarkedBlocks", "0017-engine-options.md");
  return { offset: offset - 1, bytes: Uint8Array.of(0) };
}
