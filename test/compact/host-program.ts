/** Programs of a test's own on the host of the compact file, made as the build makes that file. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle, compileChunks, makeImage } from "../../build/compact.ts";
import { withImage } from "../../build/heap-image.ts";
import { cargoBuild, compactTargets } from "../../build/toolchain.ts";
import { outcomeOf } from "../support/command.ts";
import { type Call, decode, encode } from "./wire.ts";

const [target] = compactTargets(false);
if (target === undefined) throw new Error("there is no compact file for this processor");
const { compiler, program } = cargoBuild(target);

/** The host program without an image. */
export const bareProgram = program;

/** The compiled bundle of chunks with this text, in this order. An empty name stands alone. */
export function bundleOf(chunks: readonly (readonly [name: string, text: string])[]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "chunks-"));
  try {
    for (const [name, text] of chunks) if (name !== "") writeFileSync(join(folder, name), text);
    return compileChunks(
      compiler,
      folder,
      chunks.map(([name]) => name),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The whole file that runs a compiled bundle. */
export const fileOf = (compiled: Buffer): Buffer =>
  withImage(readFileSync(program), makeImage([program], compiled));

/** The file of probe.ts, which makes calls. */
export async function makeProbe(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "chunks-"));
  try {
    return fileOf(compileChunks(compiler, folder, await bundle("test/compact/probe.ts", [], folder)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What each call returned in the program, or the text of what it threw. */
export async function answers(
  probe: string,
  calls: readonly [name: string, ...args: unknown[]][],
  env: Record<string, string> = {},
): Promise<{ readonly value?: unknown; readonly thrown?: string }[]> {
  const wire: Call[] = calls.map(([name, ...args]) => ({ name, args: args.map(encode) }));
  const outcome = await outcomeOf([probe, "first", "second"], { stdin: JSON.stringify(wire), env });
  if (outcome.exitCode !== 7)
    throw new Error(`exit code ${outcome.exitCode}: ${outcome.stdout}${outcome.stderr}`);
  return (JSON.parse(outcome.stdout) as { value?: unknown; thrown?: string }[]).map(({ value, thrown }) =>
    thrown === undefined ? { value: decode(value) } : { thrown },
  );
}

/** What each call returned. @throws Error when one threw */
export async function values(
  probe: string,
  calls: readonly [name: string, ...args: unknown[]][],
  env: Record<string, string> = {},
): Promise<unknown[]> {
  return (await answers(probe, calls, env)).map(({ value, thrown }, index) => {
    if (thrown !== undefined) throw new Error(`${calls[index]?.[0]}: ${thrown}`);
    return value;
  });
}
