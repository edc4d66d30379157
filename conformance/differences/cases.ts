/** README's differences in its order, each as a case: what a side does is measured, and must be what the row says. */
import { type Case, defineCase } from "../engine/case.ts";
import type { Difference } from "./difference.ts";
import { FIREWALL_ROWS } from "./rows/firewall.ts";
import { INTERFACES } from "./rows/interfaces.ts";
import { LEASE_ROWS } from "./rows/leases.ts";
import { LIFECYCLE } from "./rows/lifecycle.ts";
import { PORTMAP_ROWS } from "./rows/portmap.ts";
import { QUERIES } from "./rows/queries.ts";
import { STATIC_ROWS } from "./rows/static.ts";
import { TUNING_ROWS } from "./rows/tuning.ts";

export const DIFFERENCES: readonly Difference[] = [
  ...LIFECYCLE,
  ...QUERIES,
  ...LEASE_ROWS,
  ...INTERFACES,
  ...STATIC_ROWS,
  ...TUNING_ROWS,
  ...PORTMAP_ROWS,
  ...FIREWALL_ROWS,
];

export const CASES: readonly Case[] = DIFFERENCES.map(({ what, slow = false, measure, shows }) =>
  defineCase(what, { containers: ["c1", "c2"], compared: false, slow }, async (bench) => {
    const facts = await measure(bench);
    const due = Object.entries(shows).map(([fact, [go, ours]]) => [fact, bench.who === "ours" ? ours : go]);
    bench.is("measured", facts, Object.fromEntries(due));
    const words = Object.entries(facts).map(
      ([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") || "none" : value}`,
    );
    bench.notes.push(words.join("; ").replaceAll("|", "\\|").replaceAll("\n", " "));
  }),
);
