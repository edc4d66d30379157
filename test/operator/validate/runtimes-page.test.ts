/** O10: the networks that docs/runtimes.md tells users to write are as validate wants them. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { networkText, RUNTIMES } from "../../support/runtimes-page.ts";
import { PROJECT } from "../../support/test-files.ts";
import { findingsOf, source } from "./findings.ts";

test.each([...RUNTIMES])("O10: docs/runtimes.md: the network for %s has no finding", async (runtime) => {
  const findings = await findingsOf(source("/x/10.conflist", networkText(runtime)));
  // The note on versions before 1.1.0, for runtimes that do not know that one.
  expect(findings.filter(({ code }) => code !== "BH142")).toEqual([]);
});

test("each network on docs/runtimes.md is that of one of these runtimes", () => {
  const page = readFileSync(join(PROJECT, "docs/runtimes.md"), "utf8");
  expect(page.match(/^```json$/gm)).toHaveLength(RUNTIMES.length);
});
