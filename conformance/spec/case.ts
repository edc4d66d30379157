/** A case of the protocol's rules: calls, and what must come of them. Both sides go through the same ones. */
import type { Bench } from "../engine/bench.ts";
import { type Case, type CaseOptions, defineCase } from "../engine/case.ts";
import { BARE, type PluginName } from "../engine/network.ts";
import { protocolProblems } from "./protocol.ts";
import { RULES, rulesOf } from "./rules.ts";

/** Whether the host must be at the end as it was before. */
type SpecOptions = CaseOptions & { readonly still?: boolean };

/** Its name begins with the rules that it proves: "A1: …". */
export function spec(name: string, { still = false, ...options }: SpecOptions, run: Case["run"]): Case {
  const rules = rulesOf(name);
  if (rules.length === 0 || !rules.every((rule) => RULES.includes(rule)))
    throw new Error(`the case ${JSON.stringify(name)} names no rule of the specs`);
  return defineCase(name, options, async (bench) => {
    bench.rules = protocolProblems;
    const before = still ? await bench.state() : undefined;
    await run(bench);
    if (before !== undefined) await bench.unchanged("at the end", before);
    else if (options.compared !== false) await bench.look("at the end");
  });
}

/** The same case for each plugin, whose name stands behind the case's. */
export const ofEach = (
  plugins: readonly PluginName[],
  name: string,
  options: SpecOptions,
  run: (bench: Bench, plugin: PluginName) => Promise<void>,
): Case[] => plugins.map((plugin) => spec(`${name} (${plugin})`, options, (bench) => run(bench, plugin)));

/** Options of a call as libcni makes it for STATUS and GC, with its label; `more` are further variables. */
export const bare = (label: string, more: Readonly<Record<string, string>> = {}) => ({
  label,
  env: { ...BARE, ...more },
});
