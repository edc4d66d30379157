/**
 *   npm run build            dist/bin/: bridgehead and the plugins, as names of one file, for this machine
 *   npm run build -- --compact   dist/compact/: the same names, as one small static file (compact/README.md)
 *   npm run build -- --image     dist/image/: container images of the compact file (deploy/README.md)
 *   npm run build -- --all   dist/release/: a tarball of each file for each Linux target, and SHA256SUMS
 *   npm run release          dist/release/: those, packages, images, and all else that belongs to a tag
 */
import { join } from "node:path";
import { compileCompact } from "./build/compact.ts";
import { compile, root } from "./build/compile.ts";
import { buildImages } from "./build/image.ts";
import { release } from "./build/release.ts";
import { compactTargets } from "./build/toolchain.ts";

const KNOWN = ["--all", "--compact", "--image", "--release"];
const unknown = process.argv.slice(2).filter((argument) => !KNOWN.includes(argument));
if (unknown.length > 0) {
  console.error(`npm run build knows only ${KNOWN.join(", ")}, not ${unknown.join(" ")}`);
  process.exit(2);
}
try {
  const everything = process.argv.includes("--release");
  if (everything || process.argv.includes("--all")) {
    for await (const line of release(join(root, "dist", "release"), everything)) console.log(line);
  } else if (process.argv.includes("--image")) {
    for await (const line of buildImages(join(root, "dist", "image"))) console.log(line);
  } else if (process.argv.includes("--compact")) {
    for (const target of compactTargets(false))
      for (const line of await compileCompact(join(root, "dist", "compact"), target)) console.log(line);
  } else {
    for (const line of await compile(join(root, "dist", "bin"))) console.log(line);
  }
} catch (error) {
  console.error(`build failed: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
