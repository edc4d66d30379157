/**
 * npm run demo: builds, and plays the walk-through of the README on a new scratch host.
 *
 *   npm run demo -- --bin DIR   with the plugins in DIR, for example those of another project
 *
 * This file creates the scratch host and starts itself again in it. The host is removed when that second process ends. The
 * second process ends with the first, even after kill -9, because its standard input then ends.
 */
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { compile } from "../build/compile.ts";
import { isolated, whyNotIsolated } from "../test/support/isolation.ts";
import { provideTools } from "../test/support/tools.ts";
import { Stage } from "./stage.ts";
import { walkThrough } from "./walk-through.ts";

const { values: options } = parseArgs({ options: { bin: { type: "string" }, inside: { type: "boolean" } } });
const project = dirname(import.meta.dir);
const binaries = options.bin === undefined ? join(project, "dist/bin") : resolve(options.bin);

if (options.inside === true) {
  endWithParent();
  process.exit((await walkThrough(new Stage(), binaries)) ? 0 : 1);
}

try {
  await prepare();
} catch (error) {
  console.error(`the demo cannot start: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
process.exit(await playInside());

async function prepare(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error("network namespaces need root; try: sudo npm run demo");
  await provideTools(["bridge", "ip", "iptables-save", "mount", "nft", "ping", "unshare"], console.log);
  const obstacle = await whyNotIsolated();
  if (obstacle !== undefined) throw new Error(obstacle);
  if (options.bin === undefined) await compile(binaries);
}

/** Exit code of the second process; 130 after Ctrl-C. */
async function playInside(): Promise<number> {
  const itself = [process.execPath, import.meta.path, "--inside", "--bin", binaries];
  const child = Bun.spawn(isolated(itself, [binaries]), {
    stdin: "pipe",
    stdout: "inherit",
    stderr: "inherit",
    env: process.env,
  });
  let interrupted = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      interrupted = true;
      // Killing the scratch host's first process ends all others.
      child.kill("SIGKILL");
    });
  }
  const exitCode = await child.exited;
  if (!interrupted) return exitCode;
  console.error("\ninterrupted; the scratch host is gone");
  return 130;
}

function endWithParent(): void {
  void (async () => {
    for await (const _ of Bun.stdin.stream());
    process.exit(130);
  })();
}
