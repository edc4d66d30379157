/** What cargo knows of the crates of the compact file, and of the JavaScript engine in one of them. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root, run } from "./compile.ts";
import { type CompactTarget, needRust } from "./toolchain.ts";

/** What `cargo metadata --format-version 1` prints, as far as it is read. */
export interface CargoMetadata {
  readonly packages: readonly {
    readonly id: string;
    readonly name: string;
    readonly version: string;
    readonly license: string;
    readonly manifest_path: string;
  }[];
  readonly resolve: {
    readonly root: string;
    readonly nodes: readonly {
      readonly id: string;
      readonly deps: readonly {
        readonly pkg: string;
        /** The kind is null for what the program itself needs, else "build" or "dev". */
        readonly dep_kinds: readonly { readonly kind: string | null }[];
      }[];
    }[];
  };
}

/** The crates for a target. @throws Error when cargo fails, or there is no Rust */
export function cargoMetadata(target: CompactTarget): CargoMetadata {
  const options = ["--locked", "--format-version=1", `--filter-platform=${target.rust}`];
  return JSON.parse(run([needRust(target).cargo, "metadata", ...options], { cwd: join(root, "compact") }));
}

/** The version of the engine, whose source is part of the crate of its bindings. @throws Error when it is not there */
export function engineVersion({ packages }: CargoMetadata): string {
  const bindings = packages.find(({ name }) => name === "rquickjs-sys");
  if (bindings === undefined) throw new Error("compact/Cargo.lock has no rquickjs-sys");
  const header = readFileSync(join(dirname(bindings.manifest_path), "quickjs/quickjs.h"), "utf8");
  const numbers = ["MAJOR", "MINOR", "PATCH"].map((part) => {
    const [, number] = new RegExp(`#define QJS_VERSION_${part} +(\\d+)`).exec(header) ?? [];
    if (number === undefined) throw new Error(`quickjs.h of rquickjs-sys has no QJS_VERSION_${part}`);
    return number;
  });
  return numbers.join(".");
}
