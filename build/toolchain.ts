/** The Rust and C compilers that build the compact program (folder compact), and what to do when one is missing. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./compile.ts";

/** What the names of tools and packages say for a processor. */
interface Processor {
  /** As Bun names it. */
  readonly name: "x64" | "arm64";
  readonly forPeople: string;
  /** As Rust, GCC, QEMU and RPM name it. */
  readonly gnu: string;
  /** As Debian and container images (GOARCH of Go) name it. */
  readonly debian: string;
}

const PROCESSORS: readonly Processor[] = [
  { name: "x64", forPeople: "x86-64", gnu: "x86_64", debian: "amd64" },
  { name: "arm64", forPeople: "arm64", gnu: "aarch64", debian: "arm64" },
];

/** Which names of processors each kind of file uses. */
const NAMES_IN = { Debian: "debian", RPM: "gnu", OCI: "debian" } as const;

/** The name of the processor of a target such as "linux-x64". @throws Error when there is no such processor */
export function processorIn(kind: keyof typeof NAMES_IN, target: string): string {
  const processor = PROCESSORS.find(({ name }) => `linux-${name}` === target);
  if (processor === undefined) throw new Error(`${kind} has no name for the processor of ${target}`);
  return processor[NAMES_IN[kind]];
}

/** A machine that the compact file is built for, and the tools for that. */
export interface CompactTarget {
  /** As in the tarball's name. */
  readonly name: string;
  readonly processor: string;
  /** As Rust names it. The program has no part of its standard library, so the C library of the name does not matter. */
  readonly rust: string;
  /** The C compiler for musl, which is the linker too. */
  readonly cc: string;
  readonly ccFlags: readonly string[];
  /** Runs a program of the target on this machine; nothing where it is this machine's. */
  readonly runner: readonly string[];
  /** What Debian calls the tools. */
  readonly packages: string;
}

/** This machine's target, or those of all processors. */
export function compactTargets(all: boolean): CompactTarget[] {
  return PROCESSORS.filter(({ name }) => all || name === process.arch).map((processor) => {
    const { gnu, debian, forPeople } = processor;
    const target = {
      name: `linux-${processor.name}`,
      processor: forPeople,
      rust: `${gnu}-unknown-linux-gnu`,
    };
    if (processor.name === process.arch)
      return {
        ...target,
        cc: "musl-gcc",
        ccFlags: [],
        runner: [],
        packages: "rustc-web cargo-web musl-tools",
      };
    return {
      ...target,
      cc: `${gnu}-linux-gnu-gcc`,
      ccFlags: [`-specs=/usr/lib/${gnu}-linux-musl/musl-gcc.specs`],
      runner: [`qemu-${gnu}`],
      packages:
        `rustc-web cargo-web libstd-rust-web-dev:${debian} gcc-${gnu.replace("_", "-")}-linux-gnu musl-dev:${debian} qemu-user` +
        ` (after dpkg --add-architecture ${debian} && apt-get update)`,
    };
  });
}

/**
 * Flags of the C compiler. Without NDEBUG the engine asks before each instruction whether it should dump its state; its
 * assertions stay by a header of ours. Both this and code for its fixed address (-fno-pic) make the file 78 KB smaller and save 5
 * to 10 % of the instructions. The engine unwinds nothing, functions that are not called are left out, and code is not aligned:
 * this takes 90 KB less. Fewer functions are inlined than usual, which takes 95 KB less and 4 % more instructions.
 */
const C_FLAGS = [
  "-DNDEBUG",
  `'-I${join(root, "compact/include")}'`,
  "-fno-pic",
  "-flto",
  "-ffat-lto-objects",
  "-ffunction-sections",
  "-fdata-sections",
  "-fno-asynchronous-unwind-tables",
  "-fno-align-functions",
  "-fno-align-loops",
  "-fno-align-jumps",
  "-fno-align-labels",
  "--param=max-inline-insns-auto=6",
] as const;

/** Flags of the C compiler when it links, and with that optimises once more. */
const LINK_FLAGS = [
  "-static",
  "-no-pie",
  "-fno-pic",
  "-flto",
  "-O2",
  "--param=max-inline-insns-auto=6",
] as const;

/** The hashes do not ask the processor for instructions of its own: a virtual machine is slow to answer. */
const SOFT_HASHES = '--cfg=sha2_backend="soft"';

/** Flags of the Rust compiler. The program stands at fixed addresses, as its image needs. */
function rustFlags({ cc, ccFlags }: CompactTarget): string[] {
  return [
    `-Clinker=${cc}`,
    ...[...ccFlags, ...LINK_FLAGS].map((flag) => `-Clink-arg=${flag}`),
    "-Ctarget-feature=+crt-static",
    "-Crelocation-model=static",
    "-Cforce-unwind-tables=no",
    SOFT_HASHES,
    // No path of this machine stands in the file, so that equal sources give equal bytes.
    `--remap-path-prefix=${root}=.`,
    `--remap-path-prefix=${process.env.CARGO_HOME ?? `${process.env.HOME}/.cargo`}=cargo`,
  ];
}

/** A Rust compiler and its cargo. */
interface Rust {
  readonly cargo: string;
  readonly rustc: string;
}

/**
 * The first Rust on this machine that can compile for a target: that of rustup, the one on PATH, or Debian's. The order is not
 * that of PATH alone, which tests change: each Rust compiles the engine anew, and that takes minutes.
 */
export function rustFor({ rust }: CompactTarget): Rust | undefined {
  const { CARGO_HOME, HOME = "/", PATH = "" } = process.env;
  const ofRustup = join(CARGO_HOME ?? join(HOME, ".cargo"), "bin/cargo");
  const found = [ofRustup, Bun.which("cargo", { PATH }), "/usr/bin/cargo"].map((cargo) => ({
    cargo: cargo ?? "",
    rustc: cargo?.replace(/cargo$/, "rustc") ?? "",
  }));
  return found.find(({ cargo, rustc }) => {
    if (!existsSync(cargo) || !existsSync(rustc)) return false;
    const { stdout } = Bun.spawnSync([rustc, "--print", "target-libdir", "--target", rust]);
    return existsSync(stdout.toString().trim());
  });
}

/** The same. @throws Error when there is none */
export function needRust(target: CompactTarget): Rust {
  const rust = rustFor(target);
  if (rust === undefined) throw new Error(`there is no Rust for ${target.rust}`);
  return rust;
}

/** Says which tools this machine lacks for a target, and how to get them; undefined if it has all. */
export function missingFor(target: CompactTarget, rust = rustFor(target)): string | undefined {
  const missing = [target.cc, ...target.runner].filter((tool) => Bun.which(tool) === null);
  if (rust === undefined) missing.unshift(`Rust for ${target.rust}`);
  if (missing.length === 0) return undefined;
  const names = missing.join(", ");
  return `the compact file for ${target.name} needs ${names}; on Debian: apt-get install ${target.packages}`;
}

/** The Rust for a target. @throws Error when a tool that the compact file needs is missing */
function completeRust(target: CompactTarget): Rust {
  const rust = rustFor(target);
  const missing = missingFor(target, rust);
  if (rust === undefined || missing !== undefined) throw new Error(missing);
  return rust;
}

/** Where cargo builds, and where it puts the programs. */
const FOLDER = join(root, ".cache", "compact");

/** Builds the two programs of the folder compact. Returns their paths. @throws Error when a tool is missing or fails */
export function cargoBuild(target: CompactTarget): { readonly compiler: string; readonly program: string } {
  const rust = completeRust(target);
  const variable = target.rust.replaceAll("-", "_");
  const program = join(FOLDER, target.rust, "release/bridgehead");
  if (!existsSync(program))
    console.error(`compiling the JavaScript engine for ${target.name}; this takes minutes the first time`);
  cargo(rust, FOLDER, ["--bin", "compile"], {});
  cargo(rust, FOLDER, ["--bin", "bridgehead", "--target", target.rust], {
    [`CC_${variable}`]: target.cc,
    // The engine's assertions name their file.
    [`CFLAGS_${variable}`]: [...target.ccFlags, ...C_FLAGS, `'-ffile-prefix-map=${FOLDER}=.'`].join(" "),
    CC_SHELL_ESCAPED_FLAGS: "1",
    CARGO_ENCODED_RUSTFLAGS: rustFlags(target).join("\x1f"),
  });
  return { compiler: join(FOLDER, "release/compile"), program };
}

/**
 * Builds the program that AddressSanitizer watches, with a compiled bundle in it (compact/build/sanitized.rs). It is no static
 * program, and takes GCC and its libasan. Returns its path. @throws Error when a tool is missing or fails
 */
export function cargoBuildSanitized(target: CompactTarget, bundle: string): string {
  const folder = join(root, ".cache", "sanitized");
  const assertions = `'-I${join(root, "compact/include")}'`;
  cargo(
    completeRust(target),
    folder,
    ["--bin", "bridgehead", "--target", target.rust, "--features", "sanitized"],
    {
      CC: "gcc",
      CFLAGS: `-fsanitize=address -fno-omit-frame-pointer -g -O1 -DNDEBUG ${assertions}`,
      CC_SHELL_ESCAPED_FLAGS: "1",
      CARGO_ENCODED_RUSTFLAGS: ["-Clinker=gcc", "-Cforce-unwind-tables=no", SOFT_HASHES].join("\x1f"),
      CARGO_PROFILE_RELEASE_STRIP: "false",
      SANITIZED_BUNDLE: bundle,
    },
  );
  return join(folder, target.rust, "release/bridgehead");
}

function cargo(
  { cargo, rustc }: Rust,
  folder: string,
  what: readonly string[],
  variables: Record<string, string>,
): void {
  const { exitCode, stderr } = Bun.spawnSync([cargo, "build", "--release", "--locked", "--quiet", ...what], {
    cwd: join(root, "compact"),
    env: { ...process.env, CARGO_TARGET_DIR: folder, RUSTC: rustc, ...variables },
  });
  if (exitCode !== 0)
    throw new Error(`cargo build ${what.join(" ")} ended with exit code ${exitCode}\n${stderr}`);
}
