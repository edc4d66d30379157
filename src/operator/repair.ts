/**
 * `bridgehead repair [NETWORK|CONTAINER]`: puts back what living attachments have lost on the host's side, by libcni's cache
 * (rule O14). It changes no link, namespace or lease, and makes nothing that the cache does not hold. Attachments are repaired in
 * the order of their ADDs. So if two publish the same port, the newer one has it afterwards, even if only the older one was to
 * be repaired.
 */
import { toCniError } from "../cni/error.ts";
import { DEFAULT_DATA_DIRECTORY } from "../leases/holders.ts";
import { readHost } from "./attachments.ts";
import { consents } from "./consent.ts";
import { documentText } from "./document.ts";
import { type ExitCode, exitCode } from "./exit-codes.ts";
import { cleanRules, describeAttachment } from "./free.ts";
import { cacheProblems } from "./host-files.ts";
import { hasOption, type Input, type Terminal, textOption } from "./input.ts";
import { named } from "./named.ts";
import { requirePermission } from "./permission.ts";
import { step } from "./progress.ts";
import { type Look, type Patient, patientsOf } from "./repair/patient.ts";
import { wrapped } from "./sentences.ts";
import { printable } from "./table.ts";

/** An attachment that is to be repaired, or is left alone. */
interface Found {
  readonly patient: Patient;
  readonly look: Look;
  readonly isWanted: boolean;
}

/** Says what is lost, and puts it back if that is agreed to. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  requirePermission("tell who lives");
  const say = (line: string): void => terminal.stderr(`bridgehead repair: ${printable(line)}\n`);
  const { network: _, ...options } = input.options;
  const only = textOption(input, "network");
  const host = await readHost({ options });
  const wanted = new Set(named(host, input.arguments[0] ?? only).attachments);
  const all = patientsOf(host, say);
  const found: Found[] = [];
  for (const [index, patient] of all.entries()) {
    step("looking at attachments", index, all.length);
    const isWanted =
      wanted.has(patient.attachment) && (only === undefined || patient.attachment.network === only);
    found.push({ patient, look: await patient.look(all), isWanted });
  }
  for (const problem of cacheProblems(host.cache)) say(problem);
  const shown = found.filter(({ isWanted }) => isWanted);
  const unknown = shown.flatMap(unknownLine);
  for (const line of unknown) say(line);
  const isUnknown = host.cache.broken.length + unknown.length > 0;
  const cannotTell = isUnknown ? exitCode.cannotTell : exitCode.fine;

  const hurt = shown.filter(({ look }) => lossesIn(look).length > 0);
  const isQuiet = hasOption(input, "quiet") || hasOption(input, "json");
  const finish = (repaired: ReadonlySet<Patient>, line: string): void => {
    if (isQuiet) print(input, shown, repaired);
    else terminal.stdout(line);
  };
  if (!isQuiet) for (const each of shown) terminal.stdout(lineOf(each, terminal));
  if (hurt.length === 0) {
    finish(new Set(), isUnknown ? "" : "nothing is missing\n");
    return cannotTell;
  }
  if (!consents(input, `put this back for ${count(hurt.length)}?`)) {
    finish(new Set(), `would repair ${count(hurt.length)}\n`);
    return cannotTell;
  }
  const { repaired, isWhole } = await repairAll(found, all, say);
  finish(repaired, `repaired ${count(repaired.size)}\n`);
  return isWhole && !isUnknown ? exitCode.fine : exitCode.problems;
}

const lossesIn = (look: Look) => (look.state === "alive" ? look.losses : []);

const count = (attachments: number): string =>
  `${attachments} ${attachments === 1 ? "attachment" : "attachments"}`;

/** Goes on past failures and names them. */
async function repairAll(
  found: readonly Found[],
  all: readonly Patient[],
  say: (line: string) => void,
): Promise<{ repaired: ReadonlySet<Patient>; isWhole: boolean }> {
  const repaired = new Set<Patient>();
  let isWhole = true;
  const fail = ({ attachment }: Patient, why: string): void => {
    isWhole = false;
    say(`cannot repair ${describeAttachment(attachment)} of network ${attachment.network}: ${why}`);
  };
  for (const { patient, look, isWanted } of found) {
    // What is not wanted is repaired only if it was whole before this.
    if (!isWanted && (look.state !== "alive" || look.losses.length > 0)) continue;
    const lost = lossesIn(await patient.look(all));
    for (const { what, putBack } of lost) {
      try {
        await putBack?.();
      } catch (error) {
        fail(patient, `${what}: ${toCniError(error).message}`);
      }
    }
    if (lost.length === 0) continue;
    const left = lossesIn(await patient.look(all));
    for (const { what, why } of left) fail(patient, `${what}: ${why}`);
    if (left.length < lost.length) repaired.add(patient);
  }
  // A DEL may have come in between, and have removed its rules before they were put back.
  for (const patient of repaired) if (!patient.isAlive()) await takeBack(patient, repaired);
  return { repaired, isWhole };
}

async function takeBack(patient: Patient, repaired: Set<Patient>): Promise<void> {
  const { attachment } = patient;
  repaired.delete(patient);
  const leaving = { attachment, leases: [], dataDir: DEFAULT_DATA_DIRECTORY, network: undefined };
  await cleanRules(leaving);
}

function lineOf({ patient, look }: Found, { columns }: Terminal): string {
  const { attachment } = patient;
  const who = `${attachment.network}: ${describeAttachment(attachment)}`;
  const line = (text: string): string => `${wrapped(printable(text), columns)}\n`;
  if (look.state === "left") return line(`${who} is left alone: ${look.why}`);
  const losses = lossesIn(look).map(({ what }) => what);
  return losses.length === 0 ? "" : line(`${who} has lost ${losses.join(", ")}`);
}

function unknownLine({ patient: { attachment }, look }: Found): string[] {
  if (look.state !== "unknown") return [];
  const { network } = attachment;
  return [`cannot tell what ${describeAttachment(attachment)} of network ${network} has lost: ${look.why}`];
}

/** The document of --json, or the containers of --quiet. */
function print(input: Input, shown: readonly Found[], repaired: ReadonlySet<Patient>): void {
  const { terminal } = input;
  if (!hasOption(input, "json")) {
    const names = shown.filter(({ look }) => lossesIn(look).length > 0);
    for (const id of new Set(names.map(({ patient }) => patient.attachment.containerId)))
      terminal.stdout(`${printable(id)}\n`);
    return;
  }
  const attachments = shown.map(({ patient, look }) => {
    const { network, containerId, ifname } = patient.attachment;
    const lost = lossesIn(look).map(({ what, why }) => ({ what, message: why }));
    const why = look.state === "alive" ? undefined : look.why;
    return {
      ...{ network, containerID: containerId, ifname },
      ...{ state: look.state, why, lost, repaired: repaired.has(patient) },
    };
  });
  terminal.stdout(documentText({ attachments }));
}
