/** The commands of the compact file: help and install. package.json's `imports` selects it there as "#operator". */

import { REFERENCE_LEVEL } from "../cni/version.ts";
import type { Program } from "./input.ts";
import { PLUGIN_FOLDER } from "./plugin-folder.ts";

/** Runs a command and returns the exit code. */
export async function runCommand(words: readonly string[], program: Program): Promise<number> {
  const [word = "--help", ...rest] = words;
  if (rest.length === 0 && (word === "--help" || word === "-h" || word === "help")) {
    program.stdout(help(program));
    return 0;
  }
  const [folder = PLUGIN_FOLDER, ...more] = rest;
  if (word === "install" && more.length === 0 && !folder.startsWith("-") && folder !== "") {
    const { runInstall } = await import("./install-report.ts");
    return runInstall(folder, program);
  }
  program.stderr(
    word === "install" || word.startsWith("-")
      ? `bridgehead: unknown argument ${JSON.stringify(words.join(" "))}; see bridgehead --help\n`
      : `bridgehead: cannot run ${JSON.stringify(word)}: this is the compact file, which has only install, --version and --help; the Bun file has all commands\n`,
  );
  return 2;
}

// Nomad runs all files of the folder, and takes the first word that looks like a version as the file's. So the version
// comes first.
const help = ({ version, plugins }: Program): string => `bridgehead ${version}
CNI plugins in one file. It holds ${plugins.join(", ")}
with the behaviour of containernetworking/plugins v${REFERENCE_LEVEL}.

The name of the file decides which one runs. It may contain more, as in
"my-bridge".

Container runtimes call the plugins by the CNI contract: CNI_* variables,
the network configuration on stdin, the result on stdout.

It needs Linux 4.11 or later and /proc. README.md, "What it needs", names the
processors and C libraries. If the system refuses memory, it ends with exit code
134: see "Surroundings" in docs/security.md.

  bridgehead install     install it under each name into ${PLUGIN_FOLDER}, also while
                         containers start and stop; "install DIR": into DIR
  bridgehead --version   print the version
  bridgehead --help      print this page

The other commands of an operator, such as "leases", are in the Bun file only.
`;
