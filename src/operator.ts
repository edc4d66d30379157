/** What the file says when it is called by its own name, or by one that is no plugin's. */
import { code } from "./cni/error.ts";
import { CURRENT_VERSION } from "./cni/version.ts";

/** How the program was called. */
export interface Call {
  readonly name: string;
  readonly arguments: readonly string[];
  /** CNI_COMMAND is set: a runtime calls, and wants an error object. */
  readonly isPluginCall: boolean;
}

/** What the operator commands need of their surroundings. */
export interface Terminal {
  readonly version: string;
  /** Names of the built-in plugins. */
  readonly plugins: readonly string[];
  stdout(text: string): void;
  stderr(text: string): void;
}

/** Returns the exit code. */
export function runOperatorCommand(call: Call, terminal: Terminal): number {
  const { version, plugins } = terminal;
  if (call.isPluginCall) {
    const msg = `cannot tell which plugin ${JSON.stringify(call.name)} is: call the file by the name of a plugin (${plugins.join(", ")})`;
    terminal.stdout(
      `${JSON.stringify({ cniVersion: CURRENT_VERSION, code: code.invalidEnvironment, msg })}\n`,
    );
    return 1;
  }
  const [word, ...rest] = call.arguments;
  if (rest.length === 0 && (word === "--version" || word === "version")) {
    terminal.stdout(`bridgehead ${version}\n`);
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

const help = ({ version, plugins }: Terminal): string => `bridgehead ${version}: CNI plugins in one file

It holds these plugins: ${plugins.join(", ")}.
Which one runs follows from the name of the file, so install it under each name:

  install -m 755 bridgehead /opt/cni/bin/bridgehead
${plugins.map((plugin) => `  ln -f /opt/cni/bin/bridgehead /opt/cni/bin/${plugin}`).join("\n")}

Container runtimes call the plugins by the CNI contract: CNI_* variables,
the network configuration on stdin, the result on stdout.

  bridgehead --version   print the version
  bridgehead --help      print this page
`;
