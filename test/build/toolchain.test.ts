import { expect, test } from "bun:test";
import { compactTargets, missingFor } from "../../build/toolchain.ts";

test("a tool that is missing is named, with the packages to install", () => {
  const [target] = compactTargets(false);
  if (target === undefined) throw new Error("no target for this machine");
  const without = { ...target, cc: "no-such-gcc", packages: "some-tools" };
  expect(missingFor(without)).toMatch(
    /^the compact file for linux-\w+ needs (Rust for \S+, )?no-such-gcc; .* apt-get install some-tools$/,
  );
});
