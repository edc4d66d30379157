/** Reads the JUnit report that `bun test --reporter=junit` writes. */

export interface TestCase {
  /** The file as it was given to bun test. */
  readonly file: string;
  /** The names of the groups around it and its own, with " > " in between. */
  readonly name: string;
  readonly verdict: "passed" | "failed" | "skipped";
}

/**
 * The test cases of a report.
 * @throws Error when they are not as many as the report itself counts: then this reader misunderstands it.
 */
export function readReport(xml: string): TestCase[] {
  const cases = [...xml.matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)].map(
    ([, tag = "", inside = ""]) => {
      const group = attribute(tag, "classname");
      const name = attribute(tag, "name");
      return {
        file: attribute(tag, "file"),
        name: group === "" ? name : `${group} > ${name}`,
        verdict: verdictOf(inside),
      };
    },
  );
  const head = /<testsuites ([^>]*)>/.exec(xml)?.[1];
  if (head === undefined) throw new Error("the report has no <testsuites>");
  const total = (name: string) => Number(attribute(head, name));
  const count = (verdict: TestCase["verdict"]) => cases.filter((test) => test.verdict === verdict).length;
  const counted = [cases.length, count("failed"), count("skipped")];
  const claimed = [total("tests"), total("failures"), total("skipped")];
  if (counted.join() !== claimed.join()) {
    throw new Error(`the report claims ${claimed} tests, failures and skips, and holds ${counted}`);
  }
  return cases;
}

function verdictOf(inside: string): TestCase["verdict"] {
  if (/<(failure|error)\b/.test(inside)) return "failed";
  return inside.includes("<skipped") ? "skipped" : "passed";
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function attribute(tag: string, name: string): string {
  const text = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
  return text.replace(/&(?:(\w+)|#(\d+)|#x([0-9a-f]+));/gi, (whole, entity, decimal, hex) => {
    if (entity !== undefined) return ENTITIES[entity] ?? whole;
    return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal));
  });
}
