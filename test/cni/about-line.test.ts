/**
 * K10: what other programs read from the about line. Each parser here follows the rules of a real one;
 * docs/conformance.md names them.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REFERENCE_VERSION } from "../../conformance/reference.ts";
import { version } from "../../package.json";
import { isAnswered } from "../../src/cni/about.ts";
import { REFERENCE_LEVEL } from "../../src/cni/version.ts";
import { runOperatorCommand } from "../../src/operator.ts";
import { PROJECT } from "../support/test-files.ts";

function about(name: string): string {
  let said = "";
  const stderr = (text: string) => {
    said += text;
  };
  isAnswered(name, version, { environment: {}, stdout: () => {}, stderr });
  return said;
}

/** hashicorp/go-version, NewSemver: any number of numbers, then pre-release and build metadata. */
const GO_VERSION =
  /^v?(\d+(?:\.\d+)*)(-[0-9A-Za-z~-]+(?:\.[0-9A-Za-z~-]+)*)?(\+[0-9A-Za-z~-]+(?:\.[0-9A-Za-z~-]+)*)?$/;

/** Masterminds/semver v3, NewVersion: up to three numbers. */
const MASTERMINDS =
  /^v?(\d+(?:\.\d+){0,2})(-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

interface Parsed {
  readonly numbers: readonly number[];
  readonly isPreRelease: boolean;
}

function parse(text: string, grammar: RegExp): Parsed | undefined {
  const match = grammar.exec(text);
  if (match === null) return undefined;
  return { numbers: (match[1] ?? "").split(".").map(Number), isPreRelease: match[2] !== undefined };
}

/** In both parsers a pre-release does not satisfy a constraint without one. */
function satisfies(version: Parsed | undefined, ...minimum: number[]): boolean {
  if (version === undefined || version.isPreRelease) return false;
  for (const [index, wanted] of minimum.entries()) {
    const found = version.numbers[index] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}

const words = (text: string) => text.split(/\s+/).filter((word) => word !== "");

/** Nomad runs each file of the folder without arguments. The first word on stdout or stderr that is a version counts. */
const nomad = (output: string) =>
  words(output)
    .map((word) => parse(word, GO_VERSION))
    .find((found) => found !== undefined);

/** For the plugin "firewall", nerdctl takes the whole rest of the line that begins like this. */
const nerdctl = (stderr: string, name: string) => {
  const prefix = `CNI ${name} plugin `;
  const line = stderr.split("\n").find((each) => each.startsWith(prefix)) ?? "";
  return parse(line.slice(prefix.length), MASTERMINDS);
};

describe.each(["bridge", "host-local", "loopback", "firewall"])("K10: the about line of %s", (name) => {
  test("Nomad reads a version of 0.4.0 or later from it, which is its implicit constraint", async () => {
    expect(satisfies(nomad(about(name)), 0, 4, 0)).toBe(true);
  });

  test("has no word that is a version below 0.4.0", async () => {
    const versions = words(about(name)).flatMap((word) => parse(word, GO_VERSION) ?? []);
    expect(versions.length).toBeGreaterThan(0);
    for (const found of versions) expect(satisfies(found, 0, 4, 0)).toBe(true);
  });

  test("nerdctl reads a version of 1.1.0 and of 1.7.1 or later from it, which it requires of firewall", async () => {
    const found = nerdctl(about(name), name);
    expect([satisfies(found, 1, 1, 0), satisfies(found, 1, 7, 1)]).toEqual([true, true]);
  });

  test("contains the version of the reference, which installers look for", async () => {
    expect(about(name)).toContain(`CNI ${name} plugin ${REFERENCE_VERSION}`);
  });

  test("names the program and its own version", async () => {
    expect(about(name).split("\n")[0]).toEndWith(`+Bridgehead.${version}`);
  });
});

test("K10: the program's version has no 0.x, pre-release or metadata, which would break the line", () => {
  expect(version).toMatch(/^[1-9]\d*\.\d+\.\d+$/);
});

test("K10: the line names the version of the reference that README and the tests name", () => {
  expect(`v${REFERENCE_LEVEL}`).toBe(REFERENCE_VERSION);
  expect(readFileSync(join(PROJECT, "README.md"), "utf8")).toContain(`plugins) ${REFERENCE_LEVEL}.`);
});

test("K10: Nomad also runs the operator's file and reads the program's own version there", async () => {
  let output = "";
  const say = (text: string) => {
    output += text;
  };
  await runOperatorCommand([], { version, plugins: ["bridge"], environment: {}, stdout: say, stderr: say });
  expect(nomad(output)?.numbers.join(".")).toBe(version);
});
