/** Cases that are run side by side. A lane is a process in namespaces of its own, which takes one case after the other. */
import { whyNotIsolated } from "../test/support/isolation.ts";
import { provideTools } from "../test/support/tools.ts";
import { type SuiteCase, type SuiteContext, wantedOf } from "./suite.ts";

interface Named {
  readonly name: string;
}

/**
 * The rows of the wanted cases, in their order, each from a lane that `open` has made. Slow cases are begun first.
 * @throws Error when there can be no lanes here.
 */
export async function runInLanes<Case extends Named & { readonly slow?: boolean }>(
  { patterns, say }: SuiteContext,
  cases: readonly Case[],
  lanes: number,
  open: () => Disposable & { ask(next: Case): Promise<SuiteCase> },
): Promise<SuiteCase[]> {
  await provideTools(
    [
      ...(["bridge", "ip", "ip6tables-save", "iptables-save", "mount", "nft"] as const),
      ...(["nsenter", "ping", "strace", "sysctl", "unshare"] as const),
    ],
    say,
  );
  const obstacle = await whyNotIsolated();
  if (obstacle !== undefined) throw new Error(obstacle);
  const names = cases.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`two cases are called ${JSON.stringify(twice)}`);
  const wanted = wantedOf(patterns, cases);
  const left = [...wanted].sort((a, b) => Number(b.slow ?? false) - Number(a.slow ?? false));
  const rows = new Map<string, SuiteCase>();
  const lane = async () => {
    if (left.length === 0) return;
    using worker = open();
    for (let next = left.shift(); next !== undefined; next = left.shift())
      rows.set(next.name, await worker.ask(next));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return wanted.flatMap(({ name }) => rows.get(name) ?? []);
}

/** The other end: reads names of cases of the module at `path` from stdin, and prints what `run` gives, a line each. */
export async function serveCases<Case extends Named>(
  path: string,
  run: (found: Case) => Promise<unknown>,
): Promise<void> {
  const { CASES } = (await import(path)) as { CASES: readonly Case[] };
  for await (const name of console) {
    if (name === "") break;
    const found = CASES.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no case ${JSON.stringify(name)}`);
    console.log(JSON.stringify(await run(found)));
  }
}
