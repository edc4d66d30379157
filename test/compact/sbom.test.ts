/** R4: what is linked into the compact file stands in its list of parts and in THIRD-PARTY.md. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compactParts } from "../../build/sbom.ts";
import { compactTargets } from "../../build/toolchain.ts";
import { PROJECT } from "../support/test-files.ts";

test("R4: each part of the compact file has a version that is known, and THIRD-PARTY.md names it", () => {
  const [target] = compactTargets(false);
  if (target === undefined) throw new Error("no target for this machine");
  const parts = compactParts(target);
  const names = parts.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["quickjs-ng", "rquickjs-sys", "sha2", "musl", "libgcc"]));
  const notices = readFileSync(join(PROJECT, "THIRD-PARTY.md"), "utf8");
  for (const { name, version, purl, sha256 } of parts) {
    for (const word of name.replace("rust ", "").split(", ")) expect(notices).toContain(word);
    if (purl !== undefined)
      expect([version, sha256]).toEqual([expect.any(String), expect.stringMatching(/^[0-9a-f]{64}$/)]);
  }
  const engine = parts.find(({ name }) => name === "quickjs-ng");
  expect(notices).toContain(`quickjs) ${engine?.version?.replace(/\.\d+$/, "")}, the engine`);
});
