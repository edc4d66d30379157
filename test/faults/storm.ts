/**
 * Eight workers, thousands of random operations on shared networks, while namespaces, links, rules and leases are
 * damaged by hand and plugins are killed. A model knows what must be there; independent tools look.
 */
import { Lane } from "../support/lane.ts";
import type { FaultPart } from "./part.ts";
import type { StormReport, StormTask } from "./storm/host.ts";

/** Operations with --long. */
const MANY = 10_500;
/** Taking all down again, and making the host. */
const RESERVE_MS = 25_000;

const storm: FaultPart = {
  title: "a flood of random operations while the host is damaged and plugins are killed",
  async run({ binaries, seed, long, until }) {
    const time = Math.max(5000, until() - performance.now() - RESERVE_MS);
    const task: StormTask = { binaries, seed, most: long ? MANY : 1_000_000, time };
    using lane = new Lane<StormReport>(
      `${import.meta.dir}/storm/host.ts`,
      [JSON.stringify(task)],
      [binaries],
    );
    const { operations, seconds, counts, violations } = await lane.ask("begin");
    const rate = (operations / seconds).toFixed(1);
    const all = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      tried: operations,
      found: violations,
      figures: [
        `${operations} operations in ${seconds.toFixed(0)} s, ${rate} each second`,
        all.map(([what, count]) => `${what} ${count}`).join(", "),
      ],
    };
  },
};
export default storm;
