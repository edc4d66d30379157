/** The commands of the compact file: help, install and uninstall. package.json's `imports` selects it there as "#operator". */

import { REFERENCE_LEVEL } from "../cni/version.ts";
import type { Program } from "./input.ts";
import { PLUGIN_FOLDER } from "./plugin-folder.ts";

/** Runs a command and returns the exit code. */
export async function runCommand(words: readonly string[], program: Program): Promise<number> {
  // "help install" asks for what "install --help" prints.
  const [word = "--help", ...rest] = words[0] === "help" ? [...words.slice(1), "--help"] : words;
  const isKnown = word === "install" || word === "uninstall";
  if (isKnown ? rest.some(isHelp) : isHelp(word) && rest.length === 0) {
    program.stdout(help(program));
    return 0;
  }
  const options: Record<string, true> = {};
  const folders: string[] = [];
  for (const each of rest) {
    const option = OPTIONS[each];
    if (option === undefined) folders.push(each);
    else options[option] = true;
  }
  if (isKnown && folders.length < 2 && !folders[0]?.startsWith("-")) {
    const { runInstall, runUninstall } = await import("./install-report.ts");
    const { openTerminal } = await import("./terminal.ts");
    const { CommandError } = await import("./exit-codes.ts");
    const call = { arguments: folders, options, program, terminal: openTerminal(program) };
    try {
      return word === "install" ? runInstall(call) : runUninstall(call);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      program.stderr(`bridgehead: ${error.message}\n`);
      return error.exit;
    }
  }
  program.stderr(
    isKnown || word.startsWith("-")
      ? `bridgehead: unknown argument ${JSON.stringify(words.join(" "))}; see bridgehead --help\n`
      : `bridgehead: cannot run ${JSON.stringify(word)}: this is the compact file, which has only install, uninstall, --version and --help; the Bun file has all commands\n`,
  );
  return 2;
}

const isHelp = (word: string): boolean => word === "--help" || word === "-h";

const OPTIONS: Readonly<Record<string, string>> = {
  "--yes": "yes",
  "--dry-run": "dryRun",
  "--from-image": "fromImage",
};

// Nomad runs all files of the folder, and takes the first word that looks like a version as the file's. So the version
// comes first.
const help = ({ version, plugins }: Program): string => `bridgehead ${version}
CNI plugins in one file that behave like containernetworking/plugins v${REFERENCE_LEVEL}:
${plugins.join(", ")}.

The name of the file decides which one runs. It may contain more, as in
"my-bridge".

Container runtimes call the plugins by the CNI contract: CNI_* variables,
the network configuration on stdin, the result on stdout.

It needs Linux 4.11 or later on x86-64 or arm64, and /proc; no C library.
README.md, "What it needs", has the details.

  bridgehead install [DIR]     install it under each name into DIR, also while
                               containers start and stop, and keep what is there
  bridgehead uninstall [DIR]   put back what was there before
  bridgehead --version         print the version
  bridgehead --help            print this page, as each command does with --help

DIR is ${PLUGIN_FOLDER} if it is left out.

  --yes                        do it; without it, a terminal is asked
  --dry-run                    only say what would be done (the default)
  --from-image                 install: DIR must be a mounted folder of the host

The other commands of an operator, such as "leases", are in the Bun file only.
`;
