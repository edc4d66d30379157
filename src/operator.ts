/** What the file says when it is called by its own name, or by one that is no plugin's. */
import { REFERENCE_LEVEL } from "./cni/version.ts";

/** What the operator commands need of their surroundings. */
export interface Terminal {
  readonly version: string;
  /** Names of the built-in plugins. */
  readonly plugins: readonly string[];
  stdout(text: string): void;
  stderr(text: string): void;
}

/** Returns the exit code. */
export function runOperatorCommand(words: readonly string[], terminal: Terminal): number {
  const [word, ...rest] = words;
  if (rest.length === 0 && (word === "--version" || word === "version")) {
    terminal.stdout(`bridgehead ${terminal.version}\n`);
    return 0;
  }
  if (rest.length === 0 && (word === undefined || word === "--help" || word === "-h" || word === "help")) {
    terminal.stdout(help(terminal));
    return 0;
  }
  terminal.stderr(
    `bridgehead: unknown argument ${JSON.stringify([word, ...rest].join(" "))}; see bridgehead --help\n`,
  );
  return 2;
}

// A runtime that runs all files of the folder takes the first word that is a version for the file's (Nomad): that is
// this one, not the mode of the command below.
const help = ({ version, plugins }: Terminal): string => `bridgehead ${version}
CNI plugins in one file. It holds ${plugins.join(", ")}
with the behaviour of containernetworking/plugins v${REFERENCE_LEVEL}.

Which one runs follows from the name of the file, which may have more in it, as
in "my-bridge". So install it under each name:

  install -m 755 bridgehead /opt/cni/bin/bridgehead
${plugins.map((plugin) => `  ln -f /opt/cni/bin/bridgehead /opt/cni/bin/${plugin}`).join("\n")}

Container runtimes call the plugins by the CNI contract: CNI_* variables,
the network configuration on stdin, the result on stdout.

  bridgehead --version   print the version
  bridgehead --help      print this page
`;
