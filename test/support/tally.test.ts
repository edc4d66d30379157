import { afterEach, beforeEach, describe, expect, mock, spyOn, test } from "bun:test";
import { Tally } from "./tally.ts";
import { type FileRun, judge } from "./test-files.ts";

const FILE = "test/net/ip.test.ts";

/** A report as bun test writes it. */
function report(cases: readonly { name: string; inside?: string }[]): string {
  const failed = cases.filter(({ inside }) => inside?.startsWith("<failure")).length;
  const skipped = cases.filter(({ inside }) => inside?.startsWith("<skipped")).length;
  const body = cases.map(
    ({ name, inside }) => `<testcase name="${name}" classname="" file="${FILE}">${inside ?? ""}</testcase>`,
  );
  return `<testsuites tests="${cases.length}" failures="${failed}" skipped="${skipped}">${body.join("")}</testsuites>`;
}

describe("a process of tests is judged", () => {
  const troubleOf = (...given: Parameters<typeof judge>) => judge(...given).trouble;

  test("fine when its report and its exit code say so", () => {
    const { cases, trouble } = judge([FILE], report([{ name: "a" }]), 0);
    expect({ cases, trouble }).toEqual({
      cases: [{ file: FILE, name: "a", verdict: "passed" }],
      trouble: [],
    });
  });

  test("by its report when a test failed", () => {
    expect(troubleOf([FILE], report([{ name: "a", inside: "<failure />" }]), 1)).toEqual([]);
  });

  test.each<[string, Parameters<typeof judge>, string]>([
    ["an error outside of any test", [[FILE], report([{ name: "a" }]), 1], `${FILE}: ended with exit code 1`],
    ["no report", [[FILE], undefined, 0], `${FILE}: no test in it`],
    [
      "a file without tests beside another",
      [[FILE, "test/x.test.ts"], report([{ name: "a" }]), 0],
      "test/x.test.ts: no test in it",
    ],
    [
      "a report that is cut off",
      [[FILE], "<testsuites tests=", 0],
      `${FILE}: unreadable report: Error: the report has no <testsuites>`,
    ],
  ])("as a failure after %s", (_what, given, trouble) => {
    expect(troubleOf(...given)).toEqual([trouble]);
  });
});

describe("the closing line", () => {
  const printed: string[] = [];
  const CI = process.env.CI;
  beforeEach(() => {
    printed.length = 0;
    spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
    delete process.env.CI;
  });
  afterEach(() => {
    mock.restore();
    if (CI !== undefined) process.env.CI = CI;
  });

  const run = (cases: readonly { name: string; inside?: string }[], exitCode = 0): FileRun => ({
    files: [FILE],
    ...judge([FILE], report(cases), exitCode),
    output: "all that was printed",
    seconds: 1,
  });
  const SKIPPED = { name: "c (skipped: no strace)", inside: "<skipped />" };

  test("counts what passed", () => {
    const tally = new Tally();
    tally.count("net", run([{ name: "a" }, { name: "b" }]));
    expect(tally.close([])).toBe(0);
    expect(printed).toEqual(["net: 2 passed, 1.0 s", "2 passed, 0 failed"]);
  });

  test("comes after the failures and the output of their file", () => {
    const tally = new Tally();
    tally.count("net", run([{ name: "a" }, { name: "b", inside: "<failure />" }], 1));
    expect(tally.close([])).toBe(1);
    expect(printed).toEqual([
      "net: 1 FAILED, 1.0 s",
      "all that was printed",
      `FAILED: ${FILE} > b`,
      "1 passed, 1 failed",
    ]);
  });

  test("counts skips, whose causes were told", () => {
    const tally = new Tally();
    tally.count("net", run([{ name: "a" }, SKIPPED]));
    tally.skip("test/kernel/x.test.ts", "not root");
    expect(tally.close([])).toBe(0);
    expect(printed).toContain(`skipped: ${FILE} > c (skipped: no strace)`);
    expect(printed).toContain("skipped: test/kernel/x.test.ts (not root)");
    expect(printed.at(-1)).toBe("1 passed, 0 failed, 2 skipped");
  });

  test("counts a skip without a cause as a failure", () => {
    const tally = new Tally();
    tally.count("net", run([{ name: "a" }, { name: "later", inside: "<skipped />" }]));
    expect(tally.close([])).toBe(1);
    expect(printed.at(-1)).toBe("1 passed, 1 failed");
  });

  test("counts a skip that nobody expects as a failure in CI", () => {
    process.env.CI = "true";
    const tally = new Tally();
    tally.count("net", run([{ name: "a" }, SKIPPED]));
    expect(tally.close([])).toBe(1);
    expect(printed.at(-1)).toBe("1 passed, 1 failed");
  });

  test("is a failure when nothing was found, and when nothing ran", () => {
    expect(new Tally().close(["nowhere"])).toBe(1);
    const tally = new Tally();
    tally.skip("test/kernel/x.test.ts", "not root");
    expect(tally.close([])).toBe(1);
    expect(printed.filter((line) => !line.startsWith("skipped"))).toEqual([
      "FAILED: no test found nowhere",
      "0 passed, 1 failed",
      "FAILED: no test ran",
      "0 passed, 1 failed, 1 skipped",
    ]);
  });
});
