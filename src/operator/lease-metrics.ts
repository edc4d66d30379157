/**
 * The counts of leases as OpenMetrics text, for the folder of text files of a node exporter
 * (https://prometheus.io/docs/specs/om/open_metrics_spec/).
 */
import type { LeaseReport } from "./lease-report.ts";
import { STATES } from "./lease-states.ts";
import { describeRanges } from "./range-sets.ts";
import { printable } from "./table.ts";

/** A value with its labels. */
type Sample = readonly [labels: Readonly<Record<string, string>>, value: bigint | number];

/** The text. Leases outside of the configured ranges have an empty `range`. */
export function metricsText({ networks }: LeaseReport): string {
  const sets = networks.flatMap(({ network, sets: all }) =>
    all.map((set) => ({
      set,
      labels: {
        network,
        family: `ipv${set.family}`,
        range: set.ranges === undefined ? "" : describeRanges(set.ranges),
      },
    })),
  );
  const known = (name: "total" | "free"): Sample[] =>
    sets.flatMap(({ set, labels }) => {
      const value = set[name];
      return value === undefined ? [] : [[labels, value] as const];
    });
  const states = sets.flatMap(({ set, labels }) =>
    STATES.map((state): Sample => [{ ...labels, state }, set[state]]),
  );
  const others = networks.map(({ network, folder }): Sample => [{ network }, folder?.other.length ?? 0]);
  return [
    family("bridgehead_addresses", "Addresses of a range set that may be handed out.", known("total")),
    family("bridgehead_addresses_free", "Addresses of a range set that no file holds.", known("free")),
    family("bridgehead_leases", "Addresses that are held, by the state of their attachment.", states),
    family("bridgehead_other_files", "Files in the folder of leases that are not leases.", others),
    "# EOF\n",
  ].join("");
}

const family = (name: string, help: string, samples: readonly Sample[]): string =>
  [
    `# TYPE ${name} gauge\n`,
    `# HELP ${name} ${help}\n`,
    ...samples.map(([labels, value]) => {
      const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
      return `${name}{${pairs.join(",")}} ${value}\n`;
    }),
  ].join("");

/**
 * The value of a label. The format has escapes for "\", quotes and line feeds; other control characters, which would steer a
 * terminal, become visible.
 */
const escaped = (text: string): string =>
  text
    .split("\n")
    .map((line) => printable(line).replaceAll("\\", "\\\\").replaceAll('"', '\\"'))
    .join("\\n");
