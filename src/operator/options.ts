/** Options that several commands share. */
import type { CommandRow, OptionRow } from "./input.ts";

/** The options for the form of what is printed, which has one form (rule O3). An option never conflicts with itself. */
export const FORMS: readonly string[] = ["json", "quiet", "metrics", "dot"];

/** Options of the commands that look at this host (rule O5). */
export const COMMON_OPTIONS: readonly OptionRow[] = [
  { flags: "--network NAME", description: "only this network" },
  { flags: "--config-dir DIR", description: "folder of the networks (default: /etc/cni/net.d)" },
  { flags: "--data-dir DIR", description: "folder of the leases (default: each network's dataDir)" },
  { flags: "--cache-dir DIR", description: "folder of libcni's cache (default: /var/lib/cni)" },
  { flags: "--json", description: "print one JSON document", conflicts: FORMS },
  { flags: "-q, --quiet", description: "print names only", conflicts: FORMS },
];

/** Options of the commands that change the host (rule O2). */
export const CHANGE_OPTIONS: readonly OptionRow[] = [
  { flags: "--yes", description: "do it; without it, a terminal is asked" },
  { flags: "--dry-run", description: "only say what would be done (the default)" },
];

/** All options of a command, with those that it has without saying so. */
export const optionsOf = ({ options, changes }: CommandRow): readonly OptionRow[] => [
  ...options,
  ...(changes ? CHANGE_OPTIONS : []),
  { flags: "-h, --help", description: "print help" },
];
