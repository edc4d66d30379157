/** `bridgehead doctor [NETWORK|CONTAINER]`: looks at the host, its networks and their attachments, and changes nothing (O13). */

import { readHost } from "./attachments.ts";
import { checkAttachments } from "./doctor/attachment-checks.ts";
import { Diagnosis, type DoctorRow } from "./doctor/diagnosis.ts";
import { lostByReload } from "./doctor/firewalld-check.ts";
import { checkHost, type Subject } from "./doctor/host-checks.ts";
import { checkNetworks } from "./doctor/network-checks.ts";
import { checkPorts } from "./doctor/port-checks.ts";
import { documentText } from "./document.ts";
import { type ExitCode, exitCode } from "./exit-codes.ts";
import { cacheProblems } from "./host-files.ts";
import { hasOption, type Input, type Terminal, textOption } from "./input.ts";
import { named } from "./named.ts";
import { PLUGIN_FOLDER } from "./plugin-folder.ts";
import { wrapped } from "./sentences.ts";
import { type Colour, coloured, printable } from "./table.ts";

/** Exit code 1 if a row is a failure; 4 if nothing is, but something could not be looked at. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const state = await readHost(input);
  const subject: Subject = { ...state, pluginPath: terminal.environment.CNI_PATH || PLUGIN_FOLDER };
  const wanted = input.arguments[0] ?? textOption(input, "network");
  const { isWanted, attachments } = named(subject, wanted);
  const diagnosis = new Diagnosis();
  await checkHost(diagnosis, subject);
  await diagnosis.check("firewalld", "host", "its reload has removed nothing", () => lostByReload(subject));
  await checkNetworks(diagnosis, subject, isWanted);
  await checkPorts(diagnosis, subject, attachments, wanted === undefined);
  await checkAttachments(diagnosis, subject, attachments);
  const { rows } = diagnosis;
  // A file that is not a network has a row already.
  const unknown = [...cacheProblems(subject.cache), ...diagnosis.unknown];
  for (const each of unknown) terminal.stderr(`bridgehead doctor: ${printable(each)}\n`);
  const findings = rows.filter(({ code }) => code !== undefined);
  if (hasOption(input, "json")) terminal.stdout(documentText({ rows }));
  else if (hasOption(input, "quiet"))
    for (const { code, object } of findings) terminal.stdout(`${code} ${printable(object)}\n`);
  else for (const row of rows) terminal.stdout(textOf(row, terminal));
  if (rows.some((row) => row.state === "fail")) return exitCode.problems;
  return unknown.length > 0 ? exitCode.cannotTell : exitCode.fine;
}

const COLOURS: Readonly<Record<DoctorRow["state"], Colour>> = { ok: "good", warn: "warning", fail: "bad" };

/** Columns before the text of a row. */
const INDENT = 29;

/** A line, and one with the remedy below. */
function textOf({ state, code, check, object, message, remedy }: DoctorRow, terminal: Terminal): string {
  const head = coloured(state.padEnd(4), COLOURS[state], terminal);
  const name = code ?? "     ";
  const text = wrapped(`${printable(object)}: ${printable(message)}`, terminal.columns, INDENT);
  const line = `${head}  ${name}  ${check.padEnd(14)}  ${text}\n`;
  // A command stays on its line, so that it can be copied.
  return remedy === undefined ? line : `${line}             do: ${printable(remedy)}\n`;
}
