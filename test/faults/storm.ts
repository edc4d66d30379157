/**
 * Eight workers, thousands of random operations on shared networks, while namespaces, links, rules and leases are
 * damaged by hand and plugins are killed. A model knows what must be there; other eyes than the plugin's look.
 */
import { isolated } from "../support/isolation.ts";
import type { FaultPart } from "./part.ts";
import type { StormReport } from "./storm/host.ts";

/** Operations with --long. */
const MANY = 10_500;
/** Taking all down again, and making the host. */
const RESERVE_MS = 25_000;
const HOURS = 3 * 3_600_000;

const storm: FaultPart = {
  title: "a flood of random operations while the host is damaged and plugins are killed",
  async run({ binaries, seed, long, budgetMs, say }) {
    const most = long ? MANY : 1_000_000;
    const time = long ? HOURS : Math.max(5000, budgetMs - RESERVE_MS);
    const command = [
      process.execPath,
      `${import.meta.dir}/storm/host.ts`,
      binaries,
      String(seed),
      String(most),
      String(time),
    ];
    const child = Bun.spawn(isolated(command, [binaries]), {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: process.env,
    });
    const stop = () => child.kill("SIGKILL");
    process.once("exit", stop);
    const errors = new Response(child.stderr).text();
    let report: StormReport | undefined;
    let rest = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const said = JSON.parse(line) as { say: string } | StormReport;
        if ("say" in said) say(said.say);
        else report = said;
      }
    }
    await child.exited;
    process.off("exit", stop);
    if (report === undefined)
      return { tried: 0, found: [`the storm broke off:\n${await errors}`], figures: [] };
    return { tried: report.operations, found: report.violations, figures: figuresOf(report) };
  },
};

export default storm;

function figuresOf({ operations, seconds, counts }: StormReport): string[] {
  const rate = (operations / seconds).toFixed(1);
  const all = Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `${what} ${count}`);
  return [`${operations} operations in ${seconds.toFixed(0)} s, ${rate} each second`, all.join(", ")];
}
