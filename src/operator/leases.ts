/** `bridgehead leases [NETWORK]`: who has which address, how many are left, and which leases are dead (rule O8). */
import { formatIp } from "../net/ip.ts";
import { timeOfDay } from "../sys/clock.ts";
import { formatAge, formatMoment } from "./age.ts";
import { documentText, exactNumber } from "./document.ts";
import { type ExitCode, exitCode } from "./exit-codes.ts";
import { hasOption, type Input, type Terminal, textOption } from "./input.ts";
import { metricsText } from "./lease-metrics.ts";
import { type LeaseReport, type NetworkLeases, readLeases } from "./lease-report.ts";
import type { JudgedLease } from "./lease-states.ts";
import { describeRanges, rangesDocument, type SetUse } from "./range-sets.ts";
import { wrapped } from "./sentences.ts";
import { type Cell, type Column, coloured, formatTable, printable } from "./table.ts";

/** Lists the leases. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const report = await readLeases(input, input.arguments[0]);
  const state = textOption(input, "state");
  const isWanted = (lease: JudgedLease) => state === undefined || lease.state === state;
  for (const problem of report.problems) terminal.stderr(`bridgehead leases: ${problem}\n`);
  if (hasOption(input, "metrics")) terminal.stdout(metricsText(report));
  else if (hasOption(input, "json")) terminal.stdout(documentText(leasesDocument(report, isWanted)));
  else if (hasOption(input, "quiet")) {
    const wanted = report.networks.flatMap(({ leases }) => leases.filter(isWanted));
    // At once, since a write for each of ten thousand takes a tenth of a second.
    terminal.stdout(wanted.map(({ address }) => `${formatIp(address)}\n`).join(""));
  } else terminal.stdout(leasesText(report, isWanted, terminal));
  return exitCode.fine;
}

const COLUMNS: readonly Column[] = [
  { title: "NETWORK", least: 8 },
  { title: "ADDRESS" },
  { title: "STATE" },
  { title: "CONTAINER", least: 11 },
  { title: "IFNAME" },
  { title: "SINCE", align: "right" },
  { title: "NETNS", least: 20 },
];

const COLOURS = { alive: "good", dead: "bad", unknown: "warning" } as const;

function leasesText(
  { networks }: LeaseReport,
  isWanted: (lease: JudgedLease) => boolean,
  terminal: Terminal,
): string {
  const now = timeOfDay();
  const rows = networks.flatMap(({ network, leases }) =>
    leases
      .filter(isWanted)
      .map((lease): Cell[] => [
        network,
        formatIp(lease.address),
        { text: lease.state, colour: COLOURS[lease.state] },
        lease.containerId,
        lease.ifname,
        formatAge(lease.since, now),
        netnsText(lease),
      ]),
  );
  const parts = [rows.length === 0 ? "" : `${formatTable(COLUMNS, rows, terminal)}\n`];
  for (const each of networks)
    for (const set of each.sets) parts.push(`${wrapped(setText(each, set), terminal.columns)}\n`);
  const other = networks.flatMap(({ folder }) => folder?.other ?? []);
  if (other.length > 0) parts.push("\nNot leases:\n");
  for (const { path, why } of other)
    parts.push(
      `${wrapped(`  ${printable(path)} ${coloured(printable(why), "faint", terminal)}`, terminal.columns, 4)}\n`,
    );
  if (networks.length === 0) parts.push("no network of this host uses host-local\n");
  return parts.join("");
}

/** The path of its namespace, or why none is known. */
const netnsText = ({ state, why, netns }: JudgedLease): string => {
  if (netns !== undefined) return netns;
  if (state === "dead") return `gone (${why})`;
  return state === "alive" ? `not bound (${why})` : why;
};

/** As in "mybridge  10.15.20.0/24  3 of 253 used, 1 dead, 1 unknown; next 10.15.20.5". */
function setText({ network }: NetworkLeases, set: SetUse): string {
  const { ranges, total, used, dead, unknown, next, free } = set;
  const where = ranges === undefined ? "outside of any configured range" : describeRanges(ranges);
  const parts = [total === undefined ? `${used} used` : `${used} of ${total} used`];
  if (dead > 0) parts.push(`${dead} dead`);
  if (unknown > 0) parts.push(`${unknown} unknown`);
  const after = next !== undefined ? `; next ${formatIp(next)}` : free === 0n ? "; none is free" : "";
  return `${printable(network)}  ${where}  ${parts.join(", ")}${after}`;
}

function leasesDocument({ networks, problems }: LeaseReport, isWanted: (lease: JudgedLease) => boolean) {
  return {
    networks: networks.map(({ network, dataDir, sets, leases, folder }) => ({
      network,
      dataDir,
      sets: sets.map(({ family, ranges, total, used, alive, dead, unknown, free, next }) => ({
        family: `ipv${family}`,
        ranges: rangesDocument(ranges),
        total: total === undefined ? null : exactNumber(total),
        ...{ used, alive, dead, unknown },
        free: free === undefined ? null : exactNumber(free),
        next: next === undefined ? null : formatIp(next),
      })),
      leases: leases.filter(isWanted).map((lease) => ({
        address: formatIp(lease.address),
        state: lease.state,
        containerID: lease.containerId,
        ifname: lease.ifname,
        since: formatMoment(lease.since),
        netns: lease.netns ?? null,
        why: lease.why,
        path: lease.path,
      })),
      other: folder?.other.map(({ path, why }) => ({ path, why })) ?? [],
    })),
    problems,
  };
}
