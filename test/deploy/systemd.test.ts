/** O14: the units of deploy/systemd are right, and follow firewalld. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcomeOf } from "../support/command.ts";
import { testUnless, whyNoProgram } from "../support/skip.ts";
import { PROJECT } from "../support/test-files.ts";

const FOLDER = join(PROJECT, "deploy/systemd");
const UNITS = readdirSync(FOLDER).sort();
const read = (name: string): string => readFileSync(join(FOLDER, name), "utf8");
const folder = mkdtempSync(join(tmpdir(), "units-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("O14: one unit for the start of firewalld, and one for its reloads", () => {
  expect(UNITS).toEqual(["bridgehead-repair-reloads.service", "bridgehead-repair.service"]);
  for (const name of UNITS) {
    expect(read(name)).toMatch(/^After=firewalld\.service/m);
    expect(read(name)).toMatch(/^PartOf=firewalld\.service$/m);
    expect(read(name)).toContain("/usr/local/bin/bridgehead repair --yes");
  }
  expect(read("bridgehead-repair.service")).toMatch(/^ReloadPropagatedFrom=firewalld\.service$/m);
});

describe("O14: systemd takes the units", () => {
  testUnless(whyNoProgram("systemd-analyze"))("without a complaint", async () => {
    // It asks whether the programs exist.
    for (const name of UNITS)
      writeFileSync(
        join(folder, name),
        read(name).replaceAll(/\/usr\/local\/bin\/bridgehead|\/usr\/bin\/firewall-cmd/g, "/bin/true"),
      );
    const files = UNITS.map((name) => join(folder, name));
    const { exitCode, stdout, stderr } = await outcomeOf(["systemd-analyze", "verify", ...files]);
    expect({ exitCode, said: stdout + stderr }).toEqual({ exitCode: 0, said: "" });
  });
});
