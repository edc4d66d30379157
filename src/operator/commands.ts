/**
 * The table of the operator's commands . The parser, help, the shells' completions and the manual are made
 * from it; each row loads its own file.
 */
import { REFERENCE_LEVEL } from "../cni/version.ts";
import type { CommandRow, OptionRow } from "./input.ts";

/** Options of the commands that look at this host (rule O5). */
export const COMMON_OPTIONS: readonly OptionRow[] = [
  { flags: "--network NAME", description: "only this network" },
  { flags: "--config-dir DIR", description: "folder of the networks (default: /etc/cni/net.d)" },
  { flags: "--data-dir DIR", description: "folder of the leases (default: each network's dataDir)" },
  { flags: "--cache-dir DIR", description: "folder of libcni's cache (default: /var/lib/cni)" },
  { flags: "--json", description: "print one JSON document" },
  { flags: "-q, --quiet", description: "print names only" },
];

/** Options of the commands that change the host (rule O2). */
export const CHANGE_OPTIONS: readonly OptionRow[] = [
  { flags: "--yes", description: "do it; without it, a terminal is asked" },
  { flags: "--dry-run", description: "only say what would be done (the default)" },
];

/** The commands, in the order of help. */
export const COMMANDS: readonly CommandRow[] = [
  {
    name: "install",
    summary: "install the plugins into a folder",
    description: `Installs this file under the name of each plugin into a folder, also while containers start and stop: each name
always leads to a whole program.`,
    arguments: [{ name: "[DIR]", description: "the folder (default: /opt/cni/bin)" }],
    options: [],
    changes: false,
    examples: [{ command: "bridgehead install /opt/cni/bin", meaning: "install or upgrade" }],
    load: () => import("./install-command.ts"),
  },
];

/** The text in front of the list of commands. Nomad reads the version from its first line. */
export const about = (version: string, plugins: readonly string[]): string => `bridgehead ${version}
CNI plugins in one file, with the behaviour of containernetworking/plugins
v${REFERENCE_LEVEL}. It holds
${plugins.join(", ")}.
The name of the file decides which one runs; container runtimes call them by
the CNI contract. Under the name bridgehead it serves the operator: it shows
what these plugins, and those of the reference, have made on this host. To look
is the default; what changes anything asks, or needs --yes.
`;
