/** `bridgehead doctor [NETWORK|CONTAINER]`: looks at the host, its networks and their attachments, and changes nothing (O13). */

import { type FoundAttachment, readHost } from "./attachments.ts";
import { checkAttachments } from "./doctor/attachment-checks.ts";
import { Diagnosis, type DoctorRow } from "./doctor/diagnosis.ts";
import { checkHost, type Subject } from "./doctor/host-checks.ts";
import { checkNetworks } from "./doctor/network-checks.ts";
import { documentText } from "./document.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import { hasOption, type Input, type Terminal } from "./input.ts";
import { PLUGIN_FOLDER } from "./plugin-folder.ts";
import { type Colour, coloured, printable } from "./table.ts";

/** Exit code 1 if a row is a failure; 4 if nothing is, but something could not be looked at. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const state = await readHost(input);
  const subject: Subject = { ...state, pluginPath: terminal.environment.CNI_PATH || PLUGIN_FOLDER };
  const { isWanted, attachments } = chosen(subject, input.arguments[0]);
  const diagnosis = new Diagnosis();
  await checkHost(diagnosis, subject);
  await checkNetworks(diagnosis, subject, isWanted);
  await checkAttachments(diagnosis, subject, attachments);
  const { rows, unknown } = diagnosis;
  for (const each of unknown) terminal.stderr(`bridgehead doctor: ${each}\n`);
  const findings = rows.filter(({ code }) => code !== undefined);
  if (hasOption(input, "json")) terminal.stdout(documentText({ rows }));
  else if (hasOption(input, "quiet"))
    for (const { code, object } of findings) terminal.stdout(`${code} ${object}\n`);
  else for (const row of rows) terminal.stdout(textOf(row, terminal));
  if (rows.some((row) => row.state === "fail")) return exitCode.problems;
  return unknown.length > 0 ? exitCode.cannotTell : exitCode.fine;
}

/** The networks and attachments that an argument names. @throws CommandError if it names none */
function chosen(
  { networks, attachments }: Subject,
  wanted: string | undefined,
): { isWanted: (network: string) => boolean; attachments: readonly FoundAttachment[] } {
  if (wanted === undefined) return { isWanted: () => true, attachments };
  const ofNetwork = attachments.filter(({ network }) => network === wanted);
  if (ofNetwork.length > 0 || networks.networks.some(({ name }) => name === wanted))
    return { isWanted: (network) => network === wanted, attachments: ofNetwork };
  const ofContainer = attachments.filter(({ containerId }) => containerId.startsWith(wanted));
  if (ofContainer.length === 0 || wanted === "") {
    throw new CommandError(
      exitCode.wrongUse,
      `no network and no container is called ${JSON.stringify(wanted)}; run it without a name to see all`,
    );
  }
  const names = new Set(ofContainer.map(({ network }) => network));
  return { isWanted: (network) => names.has(network), attachments: ofContainer };
}

const COLOURS: Readonly<Record<DoctorRow["state"], Colour>> = { ok: "good", warn: "warning", fail: "bad" };

/** A line, and one with the remedy below. */
function textOf({ state, code, check, object, message, remedy }: DoctorRow, terminal: Terminal): string {
  const head = coloured(state.padEnd(4), COLOURS[state], terminal);
  const name = code ?? "     ";
  const line = `${head}  ${name}  ${check.padEnd(14)}  ${printable(object)}: ${printable(message)}\n`;
  return remedy === undefined ? line : `${line}             do: ${printable(remedy)}\n`;
}
