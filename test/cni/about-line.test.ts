/**
 * K10: what others read out of the about line. Each parser is written here by the rules of the one that it stands for;
 * docs/conformance.md says where those are.
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

/** hashicorp/go-version, NewSemver: any count of numbers, then pre-release and build metadata. */
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

/** Neither parser lets a pre-release satisfy a constraint that names none. */
function satisfies(version: Parsed | undefined, ...minimum: number[]): boolean {
  if (version === undefined || version.isPreRelease) return false;
  for (const [index, wanted] of minimum.entries()) {
    const found = version.numbers[index] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}

const words = (text: string) => text.split(/\s+/).filter((word) => word !== "");

/** Nomad runs each file of the folder without arguments, and takes the first word of both streams that is a version. */
const nomad = (output: string) =>
  words(output)
    .map((word) => parse(word, GO_VERSION))
    .find((found) => found !== undefined);

/** nerdctl, of the plugin "firewall": the whole rest of the line that begins like this. */
const nerdctl = (stderr: string, name: string) => {
  const prefix = `CNI ${name} plugin `;
  const line = stderr.split("\n").find((each) => each.startsWith(prefix)) ?? "";
  return parse(line.slice(prefix.length), MASTERMINDS);
};

describe.each(["bridge", "host-local", "loopback", "firewall"])("K10: the about line of %s", (name) => {
  test("is to Nomad a version of 0.4.0 or later: its implicit constraint", async () => {
    expect(satisfies(nomad(about(name)), 0, 4, 0)).toBe(true);
  });

  test("has no word that is a version below that, from whichever end it is read", async () => {
    const versions = words(about(name)).flatMap((word) => parse(word, GO_VERSION) ?? []);
    expect(versions.length).toBeGreaterThan(0);
    for (const found of versions) expect(satisfies(found, 0, 4, 0)).toBe(true);
  });

  test("is to nerdctl a version of 1.1.0 and of 1.7.1 or later: what it asks of firewall", async () => {
    const found = nerdctl(about(name), name);
    expect([satisfies(found, 1, 1, 0), satisfies(found, 1, 7, 1)]).toEqual([true, true]);
  });

  test("holds what installers look for: the version that they would have installed", async () => {
    expect(about(name)).toContain(`CNI ${name} plugin ${REFERENCE_VERSION}`);
  });

  test("names the program and its own version", async () => {
    expect(about(name).split("\n")[0]).toEndWith(`+Bridgehead.${version}`);
  });
});

test("K10: a version of our own that is 0.x, a pre-release or has metadata would not be one word any more", () => {
  expect(version).toMatch(/^[1-9]\d*\.\d+\.\d+$/);
});

test("K10: the reference that the line names is the one that ours is compared with", () => {
  expect(`v${REFERENCE_LEVEL}`).toBe(REFERENCE_VERSION);
  expect(readFileSync(join(PROJECT, "README.md"), "utf8")).toContain(`plugins) ${REFERENCE_LEVEL}.`);
});

test("K10: the operator's file, which Nomad runs as well, is of its own version there", () => {
  let output = "";
  const say = (text: string) => {
    output += text;
  };
  runOperatorCommand([], { version, plugins: ["bridge"], stdout: say, stderr: say });
  expect(nomad(output)?.numbers.join(".")).toBe(version);
});
