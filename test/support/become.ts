/** Becomes another program, for scripts that first forbid something which execve(2) keeps forbidden. */
import { dlopen, ptr } from "bun:ffi";

const { symbols: libc } = dlopen("libc.so.6", {
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  execve: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
});

/** prctl(2). A failure is negative. */
export const prctl = (option: number, a = 0, b: number | bigint = 0): number =>
  libc.prctl(option, a, b, 0, 0);

const encoder = new TextEncoder();

const strings = (
  texts: readonly string[],
): { readonly list: BigUint64Array; readonly keep: Uint8Array[] } => {
  const keep = texts.map((text) => encoder.encode(`${text}\0`));
  return { list: BigUint64Array.from([...keep.map((each) => BigInt(ptr(each))), 0n]), keep };
};

/** Makes ready to run a command by its path: the function runs it, and makes no other system call. */
export function program(command: readonly string[]): () => never {
  const words = strings(command);
  const variables = strings(Object.entries(process.env).map(([name, value]) => `${name}=${value}`));
  const path = encoder.encode(`${command[0]}\0`);
  return () => {
    libc.execve(path, words.list, variables.list);
    throw new Error(`cannot run ${command[0]}`);
  };
}
