/** Suites whose cases run in a scratch host: from inside of it. */
import { mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { outputOf } from "../test/support/command.ts";
import { eventually } from "../test/support/eventually.ts";
import { type HostState, hostState } from "../test/support/host-state.ts";
import { keptForwarding, keptIptablesChains } from "../test/support/leftovers.ts";
import { requireScratchHost } from "../test/support/scratch-host.ts";
import { stateDifference } from "../test/support/state-difference.ts";
import { makeRoot } from "./busybox.ts";
import { mountCgroups } from "./cgroups.ts";
import { addOutside, clearNetwork } from "./outside.ts";
import type { WorkerLine, WorkerTask } from "./scratch-suite.ts";
import { type SuiteCase, wantedOf } from "./suite.ts";

/**
 * Cases by their names. Each cleans up after itself as its users would, tells what was compared in a few words, and
 * throws when something is not as it should be.
 */
export type Cases = Readonly<Record<string, () => Promise<string>>>;

/** Programs of the distribution go before those of a package of another origin. */
export const PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

export interface Stage {
  readonly task: WorkerTask;
  /** The root file system of containers: see busybox.ts. */
  readonly root: string;
}

/** Makes a host for daemons, as openHost does, and a machine outside. @throws Error outside of a scratch host. */
export async function openStage(): Promise<Stage> {
  const stage = await openHost();
  await addOutside(stage.root);
  return stage;
}

/**
 * Makes a host for daemons: an empty folder for their files, a copy of /etc that may be written into, without a
 * configuration of CNI, and control groups. Ends with the process that started it.
 * @throws Error outside of a scratch host.
 */
export async function openHost(): Promise<Stage> {
  requireScratchHost();
  const task = JSON.parse(process.argv[2] ?? "") as WorkerTask;
  void (async () => {
    for await (const _ of Bun.stdin.stream());
    process.exit(1);
  })();
  const { folder } = task;
  await outputOf(["mount", "-n", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder]);
  await outputOf(["cp", "-a", "/etc", `${folder}/etc`]);
  await outputOf(["mount", "-n", "--bind", `${folder}/etc`, "/etc"]);
  rmSync("/etc/cni", { recursive: true, force: true });
  for (const path of ["/etc/cni/net.d", `${folder}/home`, `${folder}/tmp`])
    mkdirSync(path, { recursive: true });
  // Locks and shared memory of daemons.
  await outputOf("mount -n -t tmpfs tmpfs /dev/shm");
  await mountCgroups();
  const root = `${folder}/root`;
  await makeRoot(root);
  return { task, root };
}

/** Starts a daemon, and waits until it answers, `deadline` milliseconds at most. @throws Error with the end of its log when it does not. */
export async function startDaemon(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  log: string,
  answers: () => Promise<boolean>,
  deadline?: number,
): Promise<Bun.Subprocess> {
  const output = openSync(log, "a");
  const daemon = Bun.spawn([...words], { env: { ...env }, stdin: "ignore", stdout: output, stderr: output });
  const said = () => readFileSync(log, "utf8").split("\n").slice(-30).join("\n");
  await eventually(`${words[0]} answers`, async () => daemon.exitCode !== null || (await answers()), {
    state: said,
    ...(deadline === undefined ? {} : { deadline }),
  });
  if (daemon.exitCode !== null) throw new Error(`${words[0]} ended: ${said()}`);
  return daemon;
}

/** What chains and runtimes may keep on a host. */
export const KEPT_BY_CHAINS: readonly RegExp[] = [
  ...keptForwarding,
  ...keptIptablesChains,
  // An address of routers, which the host becomes.
  /^route \{"type":"anycast",/,
  // What firewall, portmap and tuning keep.
  /^ip6?tables-nft \w+ :CNI-(ADMIN|FORWARD|HOSTPORT-|ISOLATION-)/,
  /^nft \{"(chain|rule)":.*"CNI-(ADMIN|FORWARD|HOSTPORT-|ISOLATION-)/,
  /^ip6?tables-nft \w+ -A (FORWARD|CNI-FORWARD|PREROUTING|OUTPUT|POSTROUTING) .*-j CNI-(ADMIN|FORWARD|HOSTPORT|ISOLATION)/,
  /^ip6?tables-nft \w+ -A CNI-(HOSTPORT|ISOLATION)-/,
  // tuning forgets the address that it has replaced only when DEL comes with an interface.
  /^file \/run\/cni\/(tuning\/\S*)? /,
  // The folders that libcni and containerd keep.
  /^file \/var\/lib\/cni\/results\/ /,
  /^file \/run\/(containerd|nri)\//,
];

/** The environment of programs in the scratch host. */
export const hostEnvironment = ({ folder }: WorkerTask): Record<string, string> => ({
  PATH,
  HOME: `${folder}/home`,
  TMPDIR: `${folder}/tmp`,
});

/** Lines of a difference that a row shows. */
const MOST = 20;

/** Gives a line to the process that started this one. */
export const print = (line: WorkerLine): void => console.log(JSON.stringify(line));

export const summarize = (summary: string): void => print({ summary });

export interface Rules {
  /** Lines of the host's state that may differ after a case. */
  readonly mayDiffer: readonly RegExp[];
  /** Clears the ground after a case that failed, beside the network. */
  readonly rescue: () => Promise<unknown>;
  /** Makes the ground anew then. */
  readonly afterRescue?: () => Promise<unknown>;
  /** Names of cases that make things anew, in another order. */
  readonly reorders?: readonly string[];
}

/** Runs the wanted cases one after the other. After each the host must be as it was before. Ends the process. */
export async function runCases(
  cases: Cases,
  { patterns }: WorkerTask,
  { mayDiffer, rescue, afterRescue, reorders = [] }: Rules,
  finish: () => Promise<unknown> = async () => {},
): Promise<never> {
  const all = Object.entries(cases).map(([name, run]) => ({ name, run }));
  for (const { name, run } of wantedOf(patterns, all)) {
    const inOrder = (state: HostState) => (reorders.includes(name) ? [...state].sort() : state);
    const start = performance.now();
    const before = await hostState();
    const problems: string[] = [];
    const compared = await run().catch((error) => {
      problems.push(...textOf(error));
      return "";
    });
    if (problems.length === 0) {
      const left = stateDifference(inOrder(before), inOrder(await hostState()), mayDiffer);
      if (left.length > 0) problems.push("the host is not as it was before:", ...left.slice(0, MOST));
      if (left.length > MOST) problems.push(`and ${left.length - MOST} lines more`);
    }
    if (problems.length > 0)
      await rescue()
        .then(clearNetwork)
        .then(afterRescue)
        .catch((error) => problems.push("cleaning up:", ...textOf(error)));
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const row: SuiteCase = {
      name,
      verdict: problems.length === 0 ? "pass" : "FAIL",
      compared: problems.length === 0 ? `${compared}; nothing left; ${seconds} s` : `${seconds} s`,
      problems,
    };
    print({ row });
  }
  await finish();
  process.exit(0);
}

/** The message of an error, line by line. */
export const textOf = (error: unknown): string[] =>
  (error instanceof Error ? error.message : String(error)).trimEnd().split("\n");
