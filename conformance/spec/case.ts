/** A case of the protocol's rules: calls, and what must come of them. Both sides go through the same ones. */
import type { Bench } from "../engine/bench.ts";
import { type Case, type CaseOptions, defineCase } from "../engine/case.ts";
import { BARE, type PluginName } from "../engine/network.ts";
import { protocolProblems } from "./protocol.ts";
import { RULES, rulesOf } from "./rules.ts";

/** Whether the host must be at the end as it was before. */
type SpecOptions = CaseOptions & { readonly still?: boolean };

type Run<Args extends readonly unknown[]> = (bench: Bench, ...args: Args) => Promise<void>;

/** In the order in which they were declared. */
export const CASES: Case[] = [];

/** Declares a case. Its name begins with the rules that it proves: "A1: …". */
export function spec(name: string, ...how: [run: Run<[]>] | [options: SpecOptions, run: Run<[]>]): void {
  const [options, run] = how.length === 1 ? [{}, how[0]] : how;
  const { still = false, ...rest }: SpecOptions = options;
  const rules = rulesOf(name);
  if (rules.length === 0 || !rules.every((rule) => RULES.includes(rule)))
    throw new Error(`the case ${JSON.stringify(name)} names no rule of the specs`);
  CASES.push(
    defineCase(name, rest, async (bench) => {
      bench.rules = protocolProblems;
      const before = still ? await bench.state() : undefined;
      await run(bench);
      if (before !== undefined) await bench.unchanged("at the end", before);
      else if (rest.compared !== false) await bench.look("at the end");
    }),
  );
}

/** Declares the same case for each plugin, which the bench calls then, and whose name stands behind the case's. */
export function ofEach<Plugin extends PluginName>(
  plugins: readonly Plugin[],
  name: string,
  ...how: [run: Run<[Plugin]>] | [options: SpecOptions, run: Run<[Plugin]>]
): void {
  const [options, run] = how.length === 1 ? [{}, how[0]] : how;
  for (const plugin of plugins)
    spec(`${name} (${plugin})`, options, (bench) => {
      bench.plugin = plugin;
      return run(bench, plugin);
    });
}

/** Options of a call as libcni makes it for STATUS and GC, with its label. */
export const bare = (label: string) => ({ label, env: BARE });
