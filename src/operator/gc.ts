/**
 * `bridgehead gc [NETWORK]`: frees what dead containers have left (rules O6, O11). Leases and rules are read before the list of
 * the living: what is not there yet when they are read is not touched.
 */

import { attachmentOf, describeContent } from "../leases/lease.ts";
import { formatIp } from "../net/ip.ts";
import { isRunning } from "../netfilter/firewalld/firewalld.ts";
import { timeOfDay } from "../sys/clock.ts";
import { formatAge } from "./age.ts";
import { type HostState, readHost } from "./attachments.ts";
import { consents } from "./consent.ts";
import { documentText } from "./document.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import { describeAddresses, describeAttachment, free, problemOf } from "./free.ts";
import { lastFreed, putBack } from "./freed-leases.ts";
import { type Candidate, type Candidates, candidatesOf, findCandidates, type Kept } from "./gc-candidates.ts";
import { readReport, writeReport } from "./gc-report.ts";
import { hasOption, type Input, type Terminal, textOption } from "./input.ts";
import { type LeaseReport, readLeases } from "./lease-report.ts";
import { readLivingList } from "./living-list.ts";
import { requirePermission } from "./permission.ts";
import { step } from "./progress.ts";
import { wrapped } from "./sentences.ts";
import { printable } from "./table.ts";

/** Says what may go, and frees it if that is agreed to. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const [name] = input.arguments;
  requirePermission("tell who lives");
  if (hasOption(input, "undo")) return undo(input, name);
  const host = await readHost(name === undefined ? input : { options: { ...input.options, network: name } });
  const report = await readLeases(input, name, host);
  for (const problem of report.problems) terminal.stderr(`bridgehead gc: ${problem}\n`);
  const found = await choose(input, report, host);
  const file = textOption(input, "report");
  if (file !== undefined) writeReport(file, found.leaving);
  const isQuiet = hasOption(input, "quiet") || hasOption(input, "json");
  if (!isQuiet) {
    if (textOption(input, "alive") === undefined && textOption(input, "fromReport") === undefined)
      say(terminal, ...unknownLine(report));
    say(terminal, ...found.leaving.map(planLine), ...found.kept.map(keptLine), ...found.skipped);
  }
  const counts = countsOf(found.leaving);
  if (found.leaving.length === 0 || file !== undefined) {
    if (isQuiet) print(input, found, []);
    else
      terminal.stdout(
        file === undefined ? "nothing to free\n" : `${counts} in the report ${printable(file)}\n`,
      );
    return exitCode.fine;
  }
  if (!consents(input, `free ${counts}?`)) {
    if (isQuiet) print(input, found, []);
    else terminal.stdout(`would free ${counts}\n`);
    return exitCode.fine;
  }
  return await freeAll(input, found, isQuiet);
}

/** Writes sentences. */
function say({ stdout, columns }: Terminal, ...lines: readonly string[]): void {
  for (const line of lines) stdout(`${wrapped(printable(line), columns)}\n`);
}

interface Found extends Candidates {
  readonly skipped: readonly string[];
}

/** What may go, by the list of the living, by a report, or by proof alone. @throws CommandError */
async function choose(input: Input, report: LeaseReport, host: HostState): Promise<Found> {
  const [alive, from] = [textOption(input, "alive"), textOption(input, "fromReport")];
  if (from !== undefined) {
    if (alive !== undefined)
      throw new CommandError(exitCode.wrongUse, "--from-report has its list already; leave out --alive");
    return { ...readReport(from, report, candidatesOf(host)), kept: [] };
  }
  const list = alive === undefined ? undefined : readLivingList(alive, input.terminal.environment);
  if (list?.ids.length === 0 && !hasOption(input, "noneAlive"))
    throw new CommandError(
      exitCode.wrongUse,
      `the list of living containers from ${JSON.stringify(alive)} is empty; if none lives, say so with --none-alive`,
    );
  return { ...(await findCandidates(report, host, list)), skipped: [] };
}

/** Goes on past failures and names them. */
async function freeAll(input: Input, found: Found, isQuiet: boolean): Promise<ExitCode> {
  const { terminal } = input;
  const freed: Candidate[] = [];
  const skipped = [...found.skipped];
  let failures = 0;
  const at = timeOfDay();
  // The sources of firewalld are not among the rules that were read.
  const mayHaveSources = isRunning();
  for (const [index, each] of found.leaving.entries()) {
    step("freeing", index, found.leaving.length);
    try {
      const hasRules = each.rules.length > 0 || mayHaveSources;
      const { leases, changed, isCleaned } = await free({ ...each, withRules: true, hasRules, at });
      for (const { lease, why } of changed) {
        const line = `skipped ${formatIp(lease.address)} of ${describeAttachment(lease)}: ${why}`;
        skipped.push(line);
        if (!isQuiet) say(terminal, line);
      }
      if (leases.length > 0 || isCleaned)
        freed.push({
          ...each,
          leases: each.leases.filter((lease) => leases.includes(lease)),
          rules: isCleaned ? each.rules : [],
        });
    } catch (error) {
      failures++;
      terminal.stderr(
        `bridgehead gc: cannot free ${printable(`${describeAttachment(each.attachment)}: ${problemOf(error)}`)}\n`,
      );
    }
  }
  if (isQuiet) print(input, { ...found, skipped }, freed);
  else terminal.stdout(`freed ${countsOf(freed)}\n`);
  return failures === 0 ? exitCode.fine : exitCode.problems;
}

/** Leases of the reference are unknown once their containers are gone. Who looks for them here is told how they go. */
function unknownLine({ networks }: LeaseReport): string[] {
  const count = networks.flatMap(({ leases }) => leases).filter(({ state }) => state === "unknown").length;
  if (count === 0) return [];
  const stay = count === 1 ? "1 unknown lease stays" : `${count} unknown leases stay`;
  return [`${stay}: see "leases --state unknown", and free them by "gc --alive" or "release"`];
}

const plural = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

function countsOf(candidates: readonly Candidate[]): string {
  const addresses = candidates.reduce((sum, { leases }) => sum + leases.length, 0);
  const rules = new Set(candidates.flatMap((each) => each.rules)).size;
  return `${plural(addresses, "address", "addresses")}, ${plural(rules, "rule", "rules")}`;
}

function planLine({ attachment, leases, rules, why }: Candidate): string {
  const parts = [
    ...(leases.length > 0 ? [describeAddresses(leases)] : []),
    ...(rules.length > 0 ? [plural(rules.length, "rule", "rules")] : []),
  ];
  return `${attachment.network}: ${parts.join(" and ")} of ${describeAttachment(attachment)}: ${why}`;
}

const keptLine = ({ lease, why }: Kept): string =>
  `${lease.network}: kept ${formatIp(lease.address)} of ${describeAttachment(lease)}, which is not on the list: ${why}`;

/** The document of --json, or the addresses of --quiet: what was freed, or what would be. */
function print(input: Input, { leaving, kept, skipped }: Found, freed: readonly Candidate[]): void {
  const { terminal } = input;
  if (!hasOption(input, "json")) {
    const shown = freed.length > 0 || hasOption(input, "yes") ? freed : leaving;
    for (const { leases } of shown)
      for (const { address } of leases) terminal.stdout(`${formatIp(address)}\n`);
    return;
  }
  const documentOf = ({ attachment, leases, rules, why }: Candidate) => ({
    network: attachment.network,
    containerID: attachment.containerId,
    ifname: attachment.ifname,
    addresses: leases.map(({ address }) => formatIp(address)),
    rules: rules.length,
    why,
  });
  const keptDocuments = kept.map(({ lease, why }) => ({
    network: lease.network,
    containerID: lease.containerId,
    ifname: lease.ifname,
    address: formatIp(lease.address),
    why,
  }));
  terminal.stdout(
    documentText({
      candidates: leaving.map(documentOf),
      freed: freed.map(documentOf),
      kept: keptDocuments,
      skipped,
    }),
  );
}

/** Puts back what the last run freed, in whatever networks it was. */
async function undo(input: Input, name: string | undefined): Promise<ExitCode> {
  const { terminal } = input;
  const isQuiet = hasOption(input, "quiet") || hasOption(input, "json");
  const tell = (line: string): void => {
    if (!isQuiet) say(terminal, line);
  };
  const { networks } = await readLeases(input, name);
  const places = networks.filter((place) => place.folder !== undefined);
  const young = places.flatMap((place) => lastFreed(place).map((copy) => ({ ...copy, place })));
  const newest = young.reduce((most, { at }) => (at > most ? at : most), 0n);
  const copies = young.filter(({ at }) => at === newest);
  if (copies.length > 0) tell(`freed ${formatAge(newest, timeOfDay())} ago:`);
  for (const { place, address, content } of copies)
    tell(`${place.network}: ${address} of ${describeContent(content)}`);
  if (copies.length === 0) tell("nothing was freed within a day");
  const doing = copies.length > 0 && consents(input, "put these leases back?");
  const restored: typeof copies = [];
  for (const place of doing ? new Set(copies.map((copy) => copy.place)) : []) {
    for (const { address, isBack } of putBack(place)) {
      const copy = copies.find((each) => each.place === place && each.address === address);
      if (isBack && copy !== undefined) restored.push(copy);
      if (!isBack)
        terminal.stderr(`bridgehead gc: cannot put ${address} back: another container has it by now\n`);
    }
  }
  if (doing) tell("the leases are back; rules are made anew by the next ADD only");
  if (hasOption(input, "json")) {
    const documentOf = ({ place, address, content }: (typeof copies)[number]) => {
      const { containerId, ifname } = attachmentOf(content);
      return { network: place.network, address, containerID: containerId, ifname };
    };
    terminal.stdout(documentText({ leases: copies.map(documentOf), restored: restored.map(documentOf) }));
  } else if (isQuiet) for (const { address } of doing ? restored : copies) terminal.stdout(`${address}\n`);
  return doing && restored.length < copies.length ? exitCode.problems : exitCode.fine;
}
