import { expect, test } from "bun:test";
import { readReport } from "./junit.ts";

const report = (head: string, body: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="bun test" ${head}>\n${body}\n</testsuites>\n`;

test("a report is read with groups, entities and verdicts", () => {
  const xml = report(
    'tests="4" assertions="3" failures="1" skipped="2"',
    `<testsuite name="a.test.ts" file="a.test.ts" tests="4" failures="1" skipped="2">
      <testcase name="1 &lt; 2 &amp; &quot;x&quot;&#10;" classname="" time="0" file="a.test.ts" line="1" />
      <testcase name="b" classname="group &gt; inner" time="0" file="a.test.ts" line="2">
        <failure type="AssertionError" message="x">&lt;testcase </failure>
      </testcase>
      <testcase name="c (skipped: no root)" classname="" time="0" file="a.test.ts"><skipped /></testcase>
      <testcase name="d" classname="" time="0" file="a.test.ts"><skipped message="TODO" /></testcase>
    </testsuite>`,
  );
  expect(readReport(xml)).toEqual([
    { file: "a.test.ts", name: '1 < 2 & "x"\n', verdict: "passed" },
    { file: "a.test.ts", name: "group > inner > b", verdict: "failed" },
    { file: "a.test.ts", name: "c (skipped: no root)", verdict: "skipped" },
    { file: "a.test.ts", name: "d", verdict: "skipped" },
  ]);
});

test("a report that counts other than its cases is refused", () => {
  const one = '<testcase name="a" classname="" file="a.test.ts" />';
  expect(() => readReport(report('tests="2" failures="0" skipped="0"', one))).toThrow(
    "the report claims 2,0,0 tests, failures and skips, and holds 1,0,0",
  );
});

test("a text that is no report is refused", () => {
  expect(() => readReport("")).toThrow("no <testsuites>");
});
