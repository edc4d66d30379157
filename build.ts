/**
 *   npm run build            dist/bin/{bridgehead,bridge,host-local,loopback} for this machine
 *   npm run build -- --compact   dist/compact/: the same names, as one small static file (docs/compact.md)
 *   npm run build -- --all   dist/release/: a tarball for each Linux target, and SHA256SUMS
 */
import { join } from "node:path";
import { compileCompact } from "./build/compact.ts";
import { compile, root } from "./build/compile.ts";
import { release } from "./build/release.ts";
import { COMPACT_TARGETS } from "./build/toolchain.ts";

const unknown = process.argv.slice(2).filter((argument) => !["--all", "--compact"].includes(argument));
if (unknown.length > 0) {
  console.error(`npm run build knows only --compact and --all, not ${unknown.join(" ")}`);
  process.exit(2);
}
try {
  if (process.argv.includes("--all")) {
    for await (const line of release(join(root, "dist", "release"))) console.log(line);
  } else if (process.argv.includes("--compact")) {
    for (const line of await compileCompact(join(root, "dist", "compact"), COMPACT_TARGETS[0]))
      console.log(line);
  } else {
    for (const line of await compile(join(root, "dist", "bin"))) console.log(line);
  }
} catch (error) {
  console.error(`build failed: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
