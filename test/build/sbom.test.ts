/** R4: the list of what the files contain is a CycloneDX document, complete, and the same each time. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import type { CargoMetadata } from "../../build/crates.ts";
import { BUNDLED, bunParts, linkedCrates, sbomOf } from "../../build/sbom.ts";
import { Source } from "../support/source.ts";
import { PROJECT } from "../support/test-files.ts";

const COMPACT = [
  {
    name: "sha2",
    version: "0.11.1",
    licence: "MIT OR Apache-2.0",
    purl: "pkg:cargo/sha2@0.11.1",
    sha256: "a".repeat(64),
  },
  { name: "libgcc", licence: "GPL-3.0-only WITH GCC-exception-3.1" },
];

interface Sbom {
  readonly components: readonly { readonly name: string; readonly "bom-ref": string }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

describe("R4: the SBOM", () => {
  test("is valid by CycloneDX's schema, and has the parts of each file", () => {
    const text = sbomOf(COMPACT, bunParts());
    const schema = (name: string) =>
      JSON.parse(
        readFileSync(
          join(PROJECT, `node_modules/@cyclonedx/cyclonedx-library/res/schema/${name}.SNAPSHOT.schema.json`),
          "utf8",
        ),
      );
    const ajv = new Ajv({ strict: false, validateFormats: false });
    // The library's copies refer to each other by the names of their files.
    for (const name of ["spdx", "jsf-0.82", "cryptography-defs"])
      ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
    const validate = ajv.compile(schema("bom-1.6"));
    const sbom = JSON.parse(text) as Sbom;
    expect([validate(sbom), validate.errors]).toEqual([true, null]);
    const partsOf = (file: string) => sbom.dependencies.find(({ ref }) => ref.startsWith(file))?.dependsOn;
    expect(partsOf("bridgehead, compact file")).toEqual(["libgcc@any", "sha2@0.11.1"]);
    expect(
      partsOf("bridgehead, Bun file")
        ?.map((ref) => ref.replace(/@[^@]*$/, ""))
        .sort(),
    ).toEqual([...BUNDLED, "bun", "JavaScriptCore"].sort());
  });

  test("is the same each time", () => {
    expect(sbomOf(COMPACT, bunParts())).toBe(sbomOf(COMPACT, bunParts()));
  });

  test("has each npm package that the sources import, and THIRD-PARTY.md names each", () => {
    const imported = [...new Bun.Glob("src/**/*.ts").scanSync(PROJECT)]
      .flatMap((path) => new Source(path, readFileSync(join(PROJECT, path), "utf8")).imports())
      .flatMap(({ target }) => (/^(src\/|#|bun:|package\.json)/.test(target) ? [] : [target]));
    expect([...new Set(imported)].sort()).toEqual([...BUNDLED]);
    const notices = readFileSync(join(PROJECT, "THIRD-PARTY.md"), "utf8").toLowerCase();
    for (const { name } of bunParts()) expect(notices).toContain(name.toLowerCase());
  });

  test("leaves out crates that only build others", () => {
    const crate = (name: string) => ({ id: name, name, version: "1.0.0", license: "MIT", manifest_path: "" });
    const needs = (pkg: string, kind: string | null) => ({ pkg, dep_kinds: [{ kind }] });
    const metadata: CargoMetadata = {
      packages: ["own", "linked", "below", "builder"].map(crate),
      resolve: {
        root: "own",
        nodes: [
          { id: "own", deps: [needs("linked", null), needs("builder", "build")] },
          { id: "linked", deps: [needs("below", null)] },
          { id: "below", deps: [] },
          { id: "builder", deps: [] },
        ],
      },
    };
    const lock = 'name = "below"\nversion = "1.0.0"\nsource = "x"\nchecksum = "abc"\n';
    expect(linkedCrates(metadata, lock)).toEqual([
      { name: "linked", version: "1.0.0", licence: "MIT", purl: "pkg:cargo/linked@1.0.0" },
      { name: "below", version: "1.0.0", licence: "MIT", purl: "pkg:cargo/below@1.0.0", sha256: "abc" },
    ]);
  });
});
