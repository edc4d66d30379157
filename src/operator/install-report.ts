/** Asks, installs or uninstalls, and says what became of each name, for both files' commands (rules O2, O15). */

import { failedWith } from "../sys/errno.ts";
import { readText } from "../sys/file.ts";
import { Before, type Present } from "./before.ts";
import { consents } from "./consent.ts";
import { CommandError, exitCode } from "./exit-codes.ts";
import { missingHere } from "./floor.ts";
import { hasOption, type Input, type Program } from "./input.ts";
import { install, planInstall } from "./install.ts";
import { PLUGIN_FOLDER } from "./plugin-folder.ts";
import { planUninstall, type Removal, uninstall } from "./uninstall.ts";

/** What the commands of both files give. */
export type Call = Pick<Input, "arguments" | "options" | "terminal" | "program">;

const PLANNED: Readonly<Record<Present, string>> = {
  none: "would be new",
  own: "would be replaced",
  other: "would be replaced, and kept for uninstall",
  folder: "is a folder; remove it first",
};

const DONE: Readonly<Record<Removal["action"], string>> = {
  restore: "as before",
  remove: "removed",
  forget: "as before",
};

/** The exit codes that are not thrown (rule O4). */
type Outcome = typeof exitCode.fine | typeof exitCode.problems | typeof exitCode.notPermitted;

/** Installs. Returns the exit code. @throws CommandError */
export function runInstall(call: Call): Outcome {
  const { stdout, version, plugins } = call.program;
  const into = folderOf(call);
  const names = [...plugins, "bridgehead"];
  return reporting(call.program, () => {
    if (hasOption(call, "fromImage")) requireMounted(into);
    if (!hasOption(call, "yes"))
      for (const { name, present } of planInstall(into, names))
        stdout(`${into}/${name}  ${PLANNED[present]}\n`);
    if (!consents(call, `install into ${into}?`)) return;
    for (const { name, replaced, copied } of install(into, names, version)) {
      const how = `${replaced ? "replaced" : "new"}${copied ? ", a copy: there are no hard links here" : ""}`;
      stdout(`${into}/${name}  ${how}\n`);
    }
    for (const note of missingHere()) stdout(`note: ${note}\n`);
  });
}

/** Uninstalls. Returns the exit code. @throws CommandError */
export function runUninstall(call: Call): Outcome {
  const { stdout } = call.program;
  const from = folderOf(call);
  return reporting(call.program, () => {
    const before = new Before(from);
    if (before.names.length === 0) {
      stdout(`nothing is installed in ${from}\n`);
      return;
    }
    const planned = planUninstall(before);
    if (!hasOption(call, "yes"))
      for (const { name, action } of planned) stdout(`${from}/${name}  would be ${DONE[action]}\n`);
    if (!consents(call, `uninstall from ${from}?`)) return;
    for (const { name, action } of uninstall(from)) stdout(`${from}/${name}  ${DONE[action]}\n`);
  });
}

/** @throws CommandError */
function folderOf({ arguments: [folder = PLUGIN_FOLDER] }: Call): string {
  if (folder === "") throw new CommandError(exitCode.wrongUse, 'unknown argument ""; name a folder');
  return folder.replace(/(.)\/+$/, "$1");
}

/** In an init container the folder must be a mount of the host's: what is written into the image itself is lost. */
function requireMounted(folder: string): void {
  const points = readText("/proc/self/mountinfo")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "/");
  if (points.some((point) => point !== "/" && `${folder}/`.startsWith(`${point}/`))) return;
  throw new Error(
    `cannot install into ${JSON.stringify(folder)}: it is in the image itself; mount the host's folder there, or leave out --from-image`,
  );
}

function reporting({ stderr }: Program, action: () => void): Outcome {
  try {
    action();
    return exitCode.fine;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const { message, cause } = error as Error;
    const isRefused = [error, cause].some((each) => failedWith(each, "EACCES", "EPERM"));
    const remedy = isRefused && cause === undefined ? "; run it as root" : "";
    stderr(`bridgehead: ${message}${remedy}\n`);
    return isRefused ? exitCode.notPermitted : exitCode.problems;
  }
}
