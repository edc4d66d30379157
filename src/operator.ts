/** What the file says when it is called by its own name, or by one that is not a plugin's. */
import { REFERENCE_LEVEL } from "./cni/version.ts";

/** What the operator commands need of their surroundings. */
export interface Terminal {
  readonly version: string;
  /** Names of the built-in plugins. */
  readonly plugins: readonly string[];
  stdout(text: string): void;
  stderr(text: string): void;
}

/** Where runtimes look for plugins unless they are configured otherwise. */
const PLUGIN_FOLDER = "/opt/cni/bin";

/** Returns the exit code. */
export async function runOperatorCommand(words: readonly string[], terminal: Terminal): Promise<number> {
  const [word, ...rest] = words;
  if (rest.length === 0 && (word === "--version" || word === "version")) {
    terminal.stdout(`bridgehead ${terminal.version}\n`);
    return 0;
  }
  if (rest.length === 0 && (word === undefined || word === "--help" || word === "-h" || word === "help")) {
    terminal.stdout(help(terminal));
    return 0;
  }
  const [folder = PLUGIN_FOLDER, ...more] = rest;
  if (word === "install" && more.length === 0 && !folder.startsWith("-") && folder !== "")
    return runInstall(folder.replace(/(.)\/+$/, "$1"), terminal);
  terminal.stderr(
    `bridgehead: unknown argument ${JSON.stringify([word, ...rest].join(" "))}; see bridgehead --help\n`,
  );
  return 2;
}

async function runInstall(folder: string, { version, plugins, stdout, stderr }: Terminal): Promise<number> {
  const { install } = await import("./operator/install.ts");
  try {
    for (const { name, replaced, copied } of install(folder, [...plugins, "bridgehead"], version)) {
      const how = `${replaced ? "replaced" : "new"}${copied ? ", a copy: there are no hard links here" : ""}`;
      stdout(`${folder}/${name}  ${how}\n`);
    }
    return 0;
  } catch (error) {
    stderr(`bridgehead: ${(error as Error).message}\n`);
    return 1;
  }
}

// A runtime that runs all files of the folder takes the first word that is a version for the file's (Nomad): that is
// this one, not the mode of the command below.
const help = ({ version, plugins }: Terminal): string => `bridgehead ${version}
CNI plugins in one file. It holds ${plugins.join(", ")}
with the behaviour of containernetworking/plugins v${REFERENCE_LEVEL}.

Which one runs follows from the name of the file, which may have more in it, as
in "my-bridge".

Container runtimes call the plugins by the CNI contract: CNI_* variables,
the network configuration on stdin, the result on stdout.

It needs Linux 4.11 or later and /proc; of the processor and the C library what
README.md says in "What it needs". Where the system refuses memory, it ends with
exit code 134: docs/security.md, "Surroundings".

  bridgehead install     put it under each name into ${PLUGIN_FOLDER}, also while
                         containers start and stop there; "install DIR" into DIR
  bridgehead --version   print the version
  bridgehead --help      print this page
`;
