/** Storms as parts of the fault runs. */
import { Lane } from "../../support/lane.ts";
import type { FaultPart } from "../part.ts";
import type { StormReport, StormTask } from "./host.ts";
import type { StormKind } from "./networks.ts";

/** Operations with --long. */
const MANY = 10_500;
/** Taking all down again, and making the host. */
const RESERVE_MS = 25_000;

/** A storm on one kind of networks. */
export const stormOf = (kind: StormKind, title: string): FaultPart => ({
  title,
  async run({ binaries, seed, long, until }) {
    const time = Math.max(5000, until() - performance.now() - RESERVE_MS);
    const task: StormTask = { kind, binaries, seed, most: long ? MANY : 1_000_000, time };
    using lane = new Lane<StormReport>(`${import.meta.dir}/host.ts`, [JSON.stringify(task)], [binaries]);
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
});
