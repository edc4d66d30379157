/**
 * The list of what the released files contain (SBOM), as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): both files, and
 * for each the parts that THIRD-PARTY.md names. It has neither a time nor a random number, so that equal sources give equal
 * bytes.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import { devDependencies, license, version } from "../package.json";
import { root, run } from "./compile.ts";
import { type CargoMetadata, cargoMetadata, engineVersion } from "./crates.ts";
import { type CompactTarget, needRust } from "./toolchain.ts";

/** A part of a file. */
export interface Part {
  readonly name: string;
  readonly version?: string;
  /** An SPDX expression. */
  readonly licence: string;
  /** As in https://github.com/package-url/purl-spec. */
  readonly purl?: string;
  readonly sha256?: string;
}

/** npm packages that are in the Bun file. */
export const BUNDLED = ["commander", "damerau-levenshtein"] as const;

/** The crates that are linked into the compact file, without what only builds them. */
export function linkedCrates({ packages, resolve }: CargoMetadata, lock: string): Part[] {
  const linked = new Set<string>();
  const add = (id: string): void => {
    if (linked.has(id)) return;
    linked.add(id);
    for (const { pkg, dep_kinds } of resolve.nodes.find((node) => node.id === id)?.deps ?? [])
      if (dep_kinds.some(({ kind }) => kind === null)) add(pkg);
  };
  add(resolve.root);
  linked.delete(resolve.root);
  return packages
    .filter(({ id }) => linked.has(id))
    .map((crate) => {
      const sum = new RegExp(`name = "${crate.name}"\nversion = "${crate.version}"\n.*\nchecksum = "(\\w+)"`);
      const [, sha256] = sum.exec(lock) ?? [];
      return {
        name: crate.name,
        version: crate.version,
        licence: crate.license,
        purl: `pkg:cargo/${crate.name}@${crate.version}`,
        ...(sha256 === undefined ? {} : { sha256 }),
      };
    });
}

/** The parts of the compact file for a target, as its toolchain knows them. @throws Error when cargo fails */
export function compactParts(target: CompactTarget): Part[] {
  const metadata = cargoMetadata(target);
  const crates = linkedCrates(metadata, readFileSync(join(root, "compact/Cargo.lock"), "utf8"));
  const [, compiler = ""] = /^rustc (\S+)/.exec(run([needRust(target).rustc, "--version"])) ?? [];
  return [
    ...crates,
    { name: "quickjs-ng", version: engineVersion(metadata), licence: "MIT" },
    { name: "rust core, compiler_builtins", version: compiler, licence: "MIT OR Apache-2.0" },
    { name: "musl", licence: "MIT" },
    { name: "libgcc", licence: "GPL-3.0-only WITH GCC-exception-3.1" },
  ];
}

/** The parts of the Bun file, as package-lock.json has them. */
export function bunParts(): Part[] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version: string; license: string } | undefined>;
  };
  const bundled = BUNDLED.map((name) => {
    const locked = packages[`node_modules/${name}`];
    if (locked === undefined) throw new Error(`package-lock.json has no ${name}`);
    return {
      name,
      version: locked.version,
      licence: locked.license,
      purl: `pkg:npm/${name}@${locked.version}`,
    };
  });
  const bun = devDependencies.bun;
  return [
    { name: "bun", version: bun, licence: "MIT", purl: `pkg:npm/bun@${bun}` },
    { name: "JavaScriptCore", licence: "LGPL-2.0-or-later" },
    ...bundled,
  ];
}

/** The document. */
export function sbomOf(compact: readonly Part[], bun: readonly Part[]): string {
  const { ComponentType } = Enums;
  const all = new Models.Component(ComponentType.Application, "bridgehead", {
    version,
    bomRef: `bridgehead@${version}`,
  });
  const bom = new Models.Bom({ metadata: new Models.Metadata({ component: all }) });
  for (const [name, parts] of [
    ["bridgehead, compact file", compact],
    ["bridgehead, Bun file", bun],
  ] as const) {
    const file = component(ComponentType.Application, { name, version, licence: license });
    for (const part of parts) {
      const library = component(ComponentType.Library, part);
      bom.components.add(library);
      file.dependencies.add(library.bomRef);
    }
    bom.components.add(file);
    all.dependencies.add(file.bomRef);
  }
  const factory = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  return `${new Serialize.JsonSerializer(factory).serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function component(
  type: Enums.ComponentType,
  { name, version, licence, purl, sha256 }: Part,
): Models.Component {
  const made = new Models.Component(type, name, {
    bomRef: `${name}@${version ?? "any"}`,
    ...(version === undefined ? {} : { version }),
    ...(purl === undefined ? {} : { purl }),
  });
  made.licenses.add(new Models.LicenseExpression(licence));
  if (sha256 !== undefined) made.hashes.set(Enums.HashAlgorithm["SHA-256"], sha256);
  return made;
}
