/**
 * Calls the built plugins with altered input, in a scratch host of its own. Its first file system is read-only: what an
 * altered configuration names must not be written on the machine. Started by ../fuzz.ts.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Chance } from "../../fuzz/chance.ts";
import { configuration, environment } from "../../fuzz/cni-layers.ts";
import { type Outcome, outcomeOf, outputOf } from "../../support/command.ts";
import { answerEach } from "../../support/lane.ts";
import { protocolProblems } from "../../support/protocol.ts";
import { requireScratchHost } from "../../support/scratch-host.ts";
import { confined, LEASES, OUTSIDE, plant } from "./altered.ts";

export interface CallTask {
  readonly seed: number;
  readonly calls: number;
}

export interface CallReport {
  /** Calls that were done, and calls that were refused. */
  done: number;
  refused: number;
  readonly found: string[];
}

const NETNS = "/run/netns/f";
const PLUGINS = ["bridge", "bridge", "host-local", "loopback"] as const;
/** Milliseconds for one call: waits for locks and addresses included. */
const LONGEST = 25_000;
const decoder = new TextDecoder();
const [binaries = ""] = process.argv.slice(2);

/** Since the last sweep: a planted file may be any container's lease, or none's, and may rightly go. */
let planted = false;

requireScratchHost();
await outputOf(["mount", "-o", "remount,bind,ro", "/"]);
await outputOf(["ip", "netns", "add", "f"]);
writeFileSync(OUTSIDE, "outside");
mkdirSync(LEASES, { recursive: true });
await answerEach(async (question) => {
  const { seed, calls } = JSON.parse(question) as CallTask;
  const report: CallReport = { done: 0, refused: 0, found: [] };
  for (let number = 0; number < calls && report.found.length < 10; number++) {
    const problem = await attempt(new Chance(seed + number), report);
    if (problem !== undefined) report.found.push(`call, seed ${seed + number}: ${problem}`);
    if (number % 100 === 99) await sweep();
  }
  return report;
});

/** One call. What was done is taken back by the same plugin. Returns what is wrong. */
async function attempt(chance: Chance, report: CallReport): Promise<string | undefined> {
  const plugin = chance.of(PLUGINS);
  const stdin = confined(configuration(chance));
  const variables = environment(chance);
  if (chance.oneIn(20) && plant(chance)) planted = true;
  if (variables.CNI_PATH === "/opt/cni/bin") variables.CNI_PATH = binaries;
  if (variables.CNI_NETNS === "/var/run/netns/a" && !chance.oneIn(6)) variables.CNI_NETNS = NETNS;
  const { CNI_COMMAND: command = "" } = variables;
  const call = `${plugin} ${JSON.stringify(variables)} ${decoder.decode(stdin)}`;
  const before = traces();
  const start = performance.now();
  const ended = await run(plugin, variables, stdin);
  const milliseconds = Math.round(performance.now() - start);
  if (ended.exitCode === 0) report.done++;
  else report.refused++;
  if (milliseconds > LONGEST) return `${call}: took ${milliseconds} ms`;
  const wrong = protocolProblems(command, ended);
  if (wrong.length > 0) return `${call}: ${wrong.join(", ")}: ${ended.stdout}${ended.stderr}`;
  if (readFileSync(OUTSIDE, "utf8") !== "outside") return `${plugin} wrote through a link`;
  if (ended.exitCode === 0 && command === "ADD") {
    const undone = await run(plugin, { ...variables, CNI_COMMAND: "DEL" }, stdin);
    if (undone.exitCode !== 0) return `DEL after ADD: ${call}: ${undone.stdout}`;
  }
  if (planted || (ended.exitCode === 0 && ["DEL", "GC"].includes(command))) return undefined;
  const after = traces();
  return after === before ? undefined : `${call}: changed ${before} to ${after}`;
}

function run(plugin: string, variables: Record<string, string>, stdin: Uint8Array): Promise<Outcome> {
  return outcomeOf([`${binaries}/${plugin}`], { env: { PATH: "/usr/sbin:/usr/bin", ...variables }, stdin });
}

/** Leases and links: what a refused call must leave alone. Bridges and folders may stay. */
function traces(): string {
  const links = readdirSync("/sys/class/net").filter((name) => name.startsWith("veth"));
  const files = readdirSync(LEASES, { recursive: true, encoding: "utf8" });
  return JSON.stringify([...links, ...files.filter((name) => /\/[0-9a-f.:]+$/.test(name))].sort());
}

/** Bridges stay by design, and what was planted: away with all. */
async function sweep(): Promise<void> {
  planted = false;
  await outputOf(
    `for link in /sys/class/net/*; do ip link delete "$(basename "$link")" 2>/dev/null; done
     rm -rf ${LEASES}/* ${LEASES}/.bridgehead`,
  );
}
