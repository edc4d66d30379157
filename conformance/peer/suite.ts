/**
 * Suites of the CNI project's plugins. Those of ptp and bridge delegate to the host-local that they find on PATH: to the
 * reference's, and then to ours. The others judge the plugin of their own name, and then ours in its place. Their own
 * specs judge; what they find wrong with ours and not with the reference's is a failure.
 */
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf } from "../../test/support/command.ts";
import { isolated, whyNotIsolated } from "../../test/support/isolation.ts";
import { withPrivateEtc } from "../../test/support/private-etc.ts";
import { goPrograms } from "../go-programs.ts";
import { provideNeighbours, provideReference, REFERENCE_VERSION } from "../reference.ts";
import type { Suite, SuiteCase, SuiteContext, SuiteReport } from "../suite.ts";
import { through } from "./through.ts";

const suite: Suite = {
  title: "suites of the reference's plugins, with ours in their place or behind them",
  run,
};
export default suite;

const MODULE = "github.com/containernetworking/plugins";

/** With host-local behind them: those that a kernel without VLANs and macvlan can run for the most part. */
const BEHIND = ["ptp", "bridge"] as const;

const provideBehind = goPrograms({
  name: "reference-suites",
  version: REFERENCE_VERSION,
  module: MODULE,
  packages: BEHIND.map((name) => `./plugins/main/${name}`),
  tests: true,
  goNeeded: [1, 24],
});

/** Of plugins that ours takes the place of, by their folders. */
const IN_PLACE = {
  static: "plugins/ipam/static",
  tuning: "plugins/meta/tuning",
  firewall: "plugins/meta/firewall",
  portmap: "plugins/meta/portmap",
} as const;

const provideInPlace = goPrograms({
  name: "reference-suites-in-place",
  version: REFERENCE_VERSION,
  module: MODULE,
  packages: Object.values(IN_PLACE).map((folder) => `./${folder}`),
  tests: true,
  goNeeded: [1, 24],
  edit: (sources) => ({
    ...Object.assign({}, ...Object.values(IN_PLACE).map((folder) => through(join(sources, folder)))),
    ...adaptedFirewall(join(sources, IN_PLACE.firewall)),
    ...adaptedPortmap(join(sources, IN_PLACE.portmap)),
  }),
});

/** Server and client of the suite of portmap. */
const provideEcho = goPrograms({
  name: "reference-echo",
  version: REFERENCE_VERSION,
  module: MODULE,
  packages: ["server", "client"].map((name) => `./pkg/testutils/echo/${name}`),
  goNeeded: [1, 24],
});

function edited(path: string, from: string, to: string): Record<string, string> {
  const source = readFileSync(path, "utf8");
  if (!source.includes(from)) throw new Error(`${path} has no ${from}`);
  return { [path]: source.replaceAll(from, to) };
}

/**
 * The suite of firewall gives its own code a connection to a bus, which another program finds by a variable; and it needs
 * an interface of a kind that not each kernel has.
 */
function adaptedFirewall(folder: string): Record<string, string> {
  const bus = "testConn = conn";
  return {
    ...edited(
      join(folder, "firewall_firewalld_test.go"),
      bus,
      `${bus}\n\t\tsyscall.Setenv("DBUS_SYSTEM_BUS_ADDRESS", busAddr)`,
    ),
    ...edited(join(folder, "firewall_iptables_test.go"), "netlink.Dummy{", "netlink.Bridge{"),
  };
}

/** The suite of portmap builds two programs, which needs Go and its sources: it gets them built. */
const adaptedPortmap = (folder: string): Record<string, string> => ({
  ...edited(
    join(folder, "portmap_suite_test.go"),
    `gexec.Build("${MODULE}/pkg/testutils/echo/`,
    'builtEcho("',
  ),
  [join(folder, "built_test.go")]: `package main

import "os"

func builtEcho(name string) (string, error) {
	return os.Getenv("ECHO_PROGRAMS") + "/" + name, nil
}
`,
});

/** Its other specs call functions of the reference's own code. The host that it publishes ports of needs an address. */
const OF_PORTMAP = {
  focus: "portmap integration tests ",
  ground: `ip link add uplink type veth peer name wire
    ip addr add 192.0.2.1/24 dev uplink
    ip link set wire up
    ip link set uplink up`,
} as const;

/** Specs that fail with ours for a reason. */
const EXPLAINED = [
  {
    row: "L9",
    because: "DEL needs no ranges: it passes where the spec wants the error that ADD ended with",
    specs:
      /^bridge Operations \[0\.[12]\.0\] \(3\) configures and deconfigures a bridge and veth with default route/,
  },
  {
    row: "A4",
    because: "the environment's own rule refuses an interface name with a slash, in other words",
    specs: /^tuning plugin \[\S+\] does not allow ifname with path separator$/,
  },
  {
    row: "F1",
    because:
      "the versions before 0.4.0 are refused, as by the reference's program, whose check the suite leaves out",
    specs: /^(firewall plugin iptables backend|firewalld test) \[0\.3\.[01]\] /,
  },
  {
    row: "F33",
    because: "the last DEL removes the chains that ADD has made, and the suite wants them to stay",
    specs:
      /^firewall plugin iptables backend \[\S+\] installs iptables rules, checks rules, then cleans up on delete$/,
  },
] as const;

async function run(context: SuiteContext): Promise<SuiteReport> {
  const { binaries, cache, patterns, say } = context;
  const isWanted = (name: string) => patterns.length === 0 || patterns.some((each) => name.includes(each));
  const behind = BEHIND.filter(isWanted);
  const inPlace = Object.keys(IN_PLACE).filter(isWanted);
  const obstacle = await whyNotIsolated();
  if (obstacle !== undefined) {
    const cases = [...behind, ...inPlace].map((name) => caseOf(name, "skip", "", [obstacle]));
    return { cases, summary: [] };
  }
  const cases: SuiteCase[] = [];
  if (behind.length > 0) {
    const tests = await provideBehind(cache, say);
    const reference = await provideReference(cache, say);
    for (const name of behind) {
      const specs = (folder: string) =>
        specsOf(join(tests, `${name}.test`), cache, { hostLocal: join(folder, "host-local") });
      cases.push(judge(name, await specs(reference), await specs(binaries)));
    }
  }
  for (const name of inPlace) {
    const program = join(await provideInPlace(cache, say), `${name}.test`);
    const neighbours = await provideNeighbours(cache, say);
    const called: Called =
      name === "portmap"
        ? { ...OF_PORTMAP, variables: { ECHO_PROGRAMS: await provideEcho(cache, say) } }
        : {};
    const reference = await specsOf(program, cache, {
      ...called,
      chains: [await provideReference(cache, say), neighbours],
    });
    const ours = await specsOf(program, cache, {
      ...called,
      chains: [binaries, neighbours],
      underTest: join(binaries, name),
    });
    cases.push(judge(name, reference, ours));
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

/** The programs that a suite calls beside its own code. */
interface Called {
  readonly hostLocal?: string;
  /** Folders with the plugins of the chains that a suite runs by libcni. */
  readonly chains?: readonly string[];
  /** In the place of the suite's own plugin. */
  readonly underTest?: string;
  /** An expression for the names of the specs that are run; all without it. */
  readonly focus?: string;
  /** A script that prepares the scratch host. */
  readonly ground?: string;
  readonly variables?: Readonly<Record<string, string>>;
}

/** Runs a suite in a scratch host. @throws Error when it leaves no report. */
async function specsOf(
  program: string,
  cache: string,
  { hostLocal, chains = [], underTest, focus, ground = "true", variables }: Called = {},
): Promise<Specs> {
  const scratch = mkdtempSync(join(cache, "peer-"));
  try {
    if (hostLocal !== undefined) symlinkSync(hostLocal, join(scratch, "host-local"));
    const report = join(scratch, "report.json");
    const focused = focus === undefined ? [] : [`-ginkgo.focus=${focus}`];
    const words = [program, "-ginkgo.no-color", `-ginkgo.json-report=${report}`, ...focused];
    // The suite of tuning writes to /etc.
    const command = isolated(withPrivateEtc(ground, words));
    const env = {
      ...process.env,
      ...variables,
      PATH: [scratch, ...chains, process.env.PATH ?? ""].join(":"),
      ...(underTest !== undefined && { PLUGIN_UNDER_TEST: underTest }),
    };
    const { stdout, stderr } = await outcomeOf(command, { cwd: scratch, env, timeout: 900_000 });
    let text: string;
    try {
      text = readFileSync(report, "utf8");
    } catch {
      throw new Error(`${program} left no report:\n${stdout}${stderr}`);
    }
    const [all] = JSON.parse(text) as { SpecReports: SpecReport[] }[];
    const specs =
      all?.SpecReports.filter(
        ({ LeafNodeType, State }) => LeafNodeType === "It" && (focus === undefined || State !== "skipped"),
      ) ?? [];
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
  const explained = worse.length - problems.length;
  if (passed.length === 0) problems.push("no spec passes with the reference's plugin either");
  const compared = `${passed.length} of ${reference.size} specs pass with the reference's plugin; with ours all of them${explained > 0 ? ` but ${explained}, explained below` : ""}`;
  return caseOf(name, problems.length === 0 ? "pass" : "FAIL", compared, problems);
}

const caseOf = (
  name: string,
  verdict: SuiteCase["verdict"],
  compared: string,
  problems: readonly string[],
) => ({ name, verdict, compared, problems });
