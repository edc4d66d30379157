/** The operator commands: they run when the program is called by a name that is not a plugin's. */
import { REFERENCE_LEVEL } from "./cni/version.ts";

/** The surroundings of an operator command. */
export interface Terminal {
  readonly version: string;
  /** Names of the built-in plugins. */
  readonly plugins: readonly string[];
  stdout(text: string): void;
  stderr(text: string): void;
}

/** Where runtimes search for plugins by default. */
const PLUGIN_FOLDER = "/opt/cni/bin";

/** Runs a command and returns the exit code. */
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

// Nomad runs all files of the folder, and takes the first word that looks like a version as the file's. So the version
// comes first.
const help = ({ version, plugins }: Terminal): string => `bridgehead ${version}
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
`;
