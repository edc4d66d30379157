/**
 * Suites of the CNI project's plugins, which delegate to the host-local that they find on PATH: to the reference's, and
 * then to ours. Their own specs judge; what they find wrong with ours and not with the reference's is a failure.
 */
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf } from "../../test/support/command.ts";
import { isolated, whyNotIsolated } from "../../test/support/isolation.ts";
import { goPrograms } from "../go-programs.ts";
import { provideReference, REFERENCE_VERSION } from "../reference.ts";
import type { Suite, SuiteCase, SuiteContext, SuiteReport } from "../suite.ts";

const suite: Suite = { title: "suites of the reference's plugins, with our host-local behind them", run };
export default suite;

/** Those that a kernel without VLANs and macvlan can run for the most part. */
const SUITES = ["ptp", "bridge"] as const;

const provideSuites = goPrograms({
  name: "reference-suites",
  version: REFERENCE_VERSION,
  module: "github.com/containernetworking/plugins",
  packages: SUITES.map((name) => `./plugins/main/${name}`),
  tests: true,
  goNeeded: [1, 24],
});

/** Specs that fail with ours for a reason. */
const EXPLAINED = [
  {
    row: "L9",
    because: "DEL needs no ranges: it passes where the spec wants the error that ADD ended with",
    specs:
      /^bridge Operations \[0\.[12]\.0\] \(3\) configures and deconfigures a bridge and veth with default route/,
  },
] as const;

async function run(context: SuiteContext): Promise<SuiteReport> {
  const { binaries, cache, patterns, say } = context;
  const wanted = SUITES.filter(
    (name) => patterns.length === 0 || patterns.some((each) => name.includes(each)),
  );
  const obstacle = await whyNotIsolated();
  if (obstacle !== undefined) {
    return { cases: wanted.map((name) => caseOf(name, "skip", "", [obstacle])), summary: [] };
  }
  const tests = await provideSuites(cache, say);
  const reference = await provideReference(cache, say);
  const cases: SuiteCase[] = [];
  for (const name of wanted) {
    const byReference = await specsOf(join(tests, `${name}.test`), reference, cache);
    cases.push(judge(name, byReference, await specsOf(join(tests, `${name}.test`), binaries, cache)));
  }
  return { cases, summary: EXPLAINED.map(({ row, because }) => `${row}: ${because}`) };
}

/** Whether each spec passed, by its name. */
type Specs = ReadonlyMap<string, boolean>;

/** What ginkgo reports of a spec. */
interface SpecReport {
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeText: string;
  readonly LeafNodeType: string;
  readonly State: string;
}

/** Runs a suite in a scratch host, with the host-local of `folder`. @throws Error when it leaves no report. */
async function specsOf(program: string, folder: string, cache: string): Promise<Specs> {
  const scratch = mkdtempSync(join(cache, "peer-"));
  try {
    symlinkSync(join(folder, "host-local"), join(scratch, "host-local"));
    const report = join(scratch, "report.json");
    const command = isolated([program, "-ginkgo.no-color", `-ginkgo.json-report=${report}`]);
    const env = { ...process.env, PATH: `${scratch}:${process.env.PATH ?? ""}` };
    const { stdout, stderr } = await outcomeOf(command, { cwd: scratch, env, timeout: 900_000 });
    let text: string;
    try {
      text = readFileSync(report, "utf8");
    } catch {
      throw new Error(`${program} left no report:\n${stdout}${stderr}`);
    }
    const [all] = JSON.parse(text) as { SpecReports: SpecReport[] }[];
    const specs = all?.SpecReports.filter(({ LeafNodeType }) => LeafNodeType === "It") ?? [];
    return new Map(
      specs.map(({ ContainerHierarchyTexts, LeafNodeText, State }) => [
        [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(" "),
        State === "passed",
      ]),
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function judge(name: string, reference: Specs, ours: Specs): SuiteCase {
  const passed = [...reference].filter(([, isPassed]) => isPassed).map(([spec]) => spec);
  const worse = passed.filter((spec) => ours.get(spec) !== true);
  const problems = worse.filter((spec) => !EXPLAINED.some(({ specs }) => specs.test(spec)));
  if (passed.length === 0) problems.push("no spec passes with the reference's host-local either");
  const explained = worse.length - problems.length;
  const compared = `${passed.length} of ${reference.size} specs pass with the reference's host-local; with ours all of them${explained > 0 ? ` but ${explained} by L9` : ""}`;
  return caseOf(name, problems.length === 0 ? "pass" : "FAIL", compared, problems);
}

const caseOf = (
  name: string,
  verdict: SuiteCase["verdict"],
  compared: string,
  problems: readonly string[],
) => ({ name, verdict, compared, problems });
