/** The Rust and C compilers that build the compact program (folder compact), and what to do when one is missing. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./compile.ts";

/** A machine that the compact file is built for. */
export interface CompactTarget {
  /** As in the tarball's name. */
  readonly name: string;
  /** For people. */
  readonly processor: string;
  /** As Rust names it. The program has no part of its standard library, so the C library of the name does not matter. */
  readonly rust: string;
  /** The C compiler, which is the linker too, with musl. */
  readonly cc: string;
  /** What to install for them on Debian. */
  readonly packages: string;
  /** Runs a program of the target on this machine. */
  readonly runner: readonly string[];
}

const X64: CompactTarget = {
  name: "linux-x64",
  processor: "x86-64",
  rust: "x86_64-unknown-linux-gnu",
  cc: "musl-gcc",
  packages: "musl-tools",
  runner: [],
};

export const COMPACT_TARGETS = [X64] as const;

/** Flags of the C compiler: the engine unwinds nothing, and functions that are not called are left out. */
const C_FLAGS =
  "--param max-inline-insns-auto=8 -flto -ffat-lto-objects -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -fno-align-functions -fno-align-loops -fno-align-jumps -fno-align-labels";

/**
 * Flags of the Rust compiler. The program stands at fixed addresses, as its image needs. The hashes of the processor's own
 * instructions would have to ask it for them, which traps on a virtual machine.
 */
function rustFlags({ cc }: CompactTarget): string {
  return [
    `-Clinker=${cc}`,
    "-Clink-arg=-static",
    "-Clink-arg=-flto",
    "-Clink-arg=-O2",
    "-Clink-arg=--param",
    "-Clink-arg=max-inline-insns-auto=8",
    "-Ctarget-feature=+crt-static",
    "-Crelocation-model=static",
    "-Cforce-unwind-tables=no",
    '--cfg=sha2_backend="soft"',
  ].join(" ");
}

/** Builds the two programs of the folder compact. Returns their paths. @throws Error when a compiler is missing or fails */
export function cargoBuild(target: CompactTarget): { readonly compiler: string; readonly program: string } {
  const missing = ["cargo", "rustc", target.cc].filter((tool) => Bun.which(tool) === null);
  if (missing.length > 0) {
    throw new Error(
      `the compact file needs ${missing.join(", ")}, which this machine lacks; on Debian: ` +
        `apt-get install rustc-web cargo-web ${target.packages}`,
    );
  }
  const folder = join(root, ".cache", "compact");
  const variable = target.rust.replaceAll("-", "_");
  cargo(folder, "compile", [], {});
  cargo(folder, "bridgehead", ["--target", target.rust], {
    [`CC_${variable}`]: target.cc,
    [`CFLAGS_${variable}`]: C_FLAGS,
    [`CARGO_TARGET_${variable.toUpperCase()}_RUSTFLAGS`]: rustFlags(target),
  });
  const [compiler, program] = [
    join(folder, "release/compile"),
    join(folder, target.rust, "release/bridgehead"),
  ];
  for (const path of [compiler, program])
    if (!existsSync(path)) throw new Error(`cargo did not make ${path}`);
  return { compiler, program };
}

function cargo(
  folder: string,
  name: string,
  flags: readonly string[],
  variables: Record<string, string>,
): void {
  const { exitCode, stderr } = Bun.spawnSync(
    ["cargo", "build", "--release", "--locked", "--quiet", "--bin", name, ...flags],
    { cwd: join(root, "compact"), env: { ...process.env, CARGO_TARGET_DIR: folder, ...variables } },
  );
  if (exitCode !== 0)
    throw new Error(`cargo build --bin ${name} ended with exit code ${exitCode}\n${stderr}`);
}
