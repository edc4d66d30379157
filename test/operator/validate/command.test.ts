/** O10, O4: what `bridgehead validate`, `schema` and `explain` print, and their exit codes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../recording.ts";
import { bridge } from "./findings.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "validate-"));
  const list = (name: string, ...plugins: object[]) =>
    JSON.stringify({ cniVersion: "1.1.0", name, plugins }, null, 2);
  writeFileSync(join(folder, "good.conflist"), list("good", bridge()));
  writeFileSync(
    join(folder, "bad.conflist"),
    list("bad", bridge({ bridge: "br1", isGatway: true }, { subnet: "10.2.0.0/24" })),
  );
  writeFileSync(
    join(folder, "warned.conflist"),
    list("warned", bridge({ bridge: "br2" }, { subnet: "10.3.0.0/24" }), { type: "portmap" }),
  );
  writeFileSync(join(folder, "notes.txt"), "not a network");
});
afterAll(() => rmSync(folder, { recursive: true }));

const validate = (...words: string[]) =>
  command(["validate", "--offline", ...words.map((word) => word.replace("DIR", folder))]);

test("O10: a line for each finding, and a summary", async () => {
  expect(await validate("DIR")).toEqual({
    exitCode: 1,
    stdout: [
      `${folder}/bad.conflist:9:7: error BH104: unknown key "isGatway"; write "isGateway"`,
      `${folder}/warned.conflist:15:7: warning BH132: portmap gets no ports: it has not the capability portMappings; add "capabilities": {"portMappings": true}`,
      "3 files: 1 error, 1 warning",
      "",
    ].join("\n"),
    stderr: "",
  });
});

test.each([
  [["DIR/good.conflist"], 0, "1 file: 0 errors, 0 warnings\n"],
  [["DIR/warned.conflist"], 0, /: warning BH132: .*\n1 file: 0 errors, 1 warning\n$/],
  [["--strict", "DIR/warned.conflist"], 1, /1 warning\n$/],
  [["--strict", "DIR/good.conflist"], 0, "1 file: 0 errors, 0 warnings\n"],
  [["-q", "DIR"], 1, /^\S+bad.conflist\n\S+warned.conflist\n$/],
  [["--config-dir", "DIR"], 1, /3 files: 1 error, 1 warning\n$/],
])("O4, O10: %j", async (words, exitCode, stdout) => {
  const said = await validate(...words);
  expect({ exitCode: said.exitCode, stderr: said.stderr }).toEqual({ exitCode, stderr: "" });
  if (typeof stdout === "string") expect(said.stdout).toBe(stdout);
  else expect(said.stdout).toMatch(stdout);
});

test("O4: a file that is not there is named on standard error, and the others are judged all the same", async () => {
  const { exitCode, stdout, stderr } = await validate("DIR/nowhere.conflist", "DIR/good.conflist");
  expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: "1 file: 0 errors, 0 warnings\n" });
  expect(stderr).toContain(`cannot read "${folder}/nowhere.conflist"`);
});

test("O3, O10: --json is one document with its version", async () => {
  const { stdout } = await validate("--json", "DIR/bad.conflist");
  expect(JSON.parse(stdout)).toEqual({
    version: 1,
    files: [`${folder}/bad.conflist`],
    findings: [
      {
        code: "BH104",
        level: "fail",
        file: `${folder}/bad.conflist`,
        line: 9,
        column: 7,
        network: "bad",
        key: "plugins[0].isGatway",
        message: 'unknown key "isGatway"',
        remedy: 'write "isGateway"',
      },
    ],
  });
});

test("O10: schema prints a schema, of a plugin or of a file", async () => {
  const schema = JSON.parse((await command(["schema", "portmap"])).stdout);
  expect(schema).toMatchObject({
    title: "The configuration of the CNI plugin portmap",
    additionalProperties: false,
  });
  expect(JSON.parse((await command(["schema"])).stdout)).toHaveProperty("$defs.plugin");
  const { exitCode, stderr } = await command(["schema", "bridg"]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('no plugin is called "bridg"');
  expect(stderr).toContain('did you mean "bridge"?');
});

test("O16: explain wraps its text, and lists the codes without one", async () => {
  const { stdout } = await command(["explain", "no IP addresses", "available in range set"], { columns: 80 });
  expect(stdout).toStartWith(
    "no IP addresses available in range set: no free address in the range\n  what    Each",
  );
  for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect((await command(["explain"])).stdout).toContain("BH104  error    a key is misspelt\n");
  expect(JSON.parse((await command(["explain", "--json", "BH104"])).stdout)).toMatchObject({
    version: 1,
    explanations: [{ kind: "finding", name: "BH104" }],
  });
});

test.each([
  ["ipMsq", 'nothing is known about "ipMsq"; did you mean "ipMasq"?'],
  ["the moon", "give a code, a key, or the text of an error"],
])("O16: explain %s is exit code 1, with a hint", async (word, hint) => {
  const { exitCode, stdout, stderr } = await command(["explain", word]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toContain(hint);
});

test("O10: a file's name cannot steer the terminal", async () => {
  const other = mkdtempSync(join(tmpdir(), "validate-"));
  writeFileSync(join(other, "\x1b[2Jevil.conflist"), "{");
  for (const words of [[], ["-q"]]) {
    const { exitCode, stdout } = await validate(...words, other);
    expect(exitCode).toBe(1);
    expect(stdout).toStartWith(`${other}/\\x1b[2Jevil.conflist`);
    expect(stdout).not.toContain("\x1b");
  }
  rmSync(other, { recursive: true });
});
