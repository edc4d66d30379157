import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compactTargets, missingFor, rustFor } from "../../build/toolchain.ts";

test("a tool that is missing is named, with the packages to install", () => {
  const [target] = compactTargets(false);
  if (target === undefined) throw new Error("no target for this machine");
  const without = { ...target, cc: "no-such-gcc", packages: "some-tools" };
  expect(missingFor(without)).toMatch(
    /^the compact file for linux-\w+ needs (Rust for \S+, )?no-such-gcc; .* apt-get install some-tools$/,
  );
});

test("the Rust of rustup goes before others, whatever the order of PATH", () => {
  const [target] = compactTargets(false);
  if (target === undefined) throw new Error("no target for this machine");
  const folder = mkdtempSync(join(tmpdir(), "rustup-"));
  const { CARGO_HOME, PATH } = process.env;
  try {
    mkdirSync(join(folder, "bin"));
    for (const program of ["cargo", "rustc"]) {
      const path = join(folder, "bin", program);
      // What it prints for --print target-libdir exists, as that of a target which is installed.
      writeFileSync(path, "#!/bin/sh\necho /\n");
      chmodSync(path, 0o755);
    }
    process.env.CARGO_HOME = folder;
    process.env.PATH = `/usr/bin:${PATH}`;
    expect(rustFor(target)?.cargo).toBe(join(folder, "bin/cargo"));
  } finally {
    process.env.PATH = PATH;
    if (CARGO_HOME === undefined) delete process.env.CARGO_HOME;
    else process.env.CARGO_HOME = CARGO_HOME;
    rmSync(folder, { recursive: true });
  }
});
