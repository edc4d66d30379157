/** Calls a plugin with some of the capabilities(7) only, as root or as another user. */
import { builtBinaries, callProgram, type PluginCall, type PluginOutcome } from "./plugin-call.ts";

/** As setpriv(1) calls them. */
export type Capability =
  | "dac_override"
  | "dac_read_search"
  | "net_admin"
  | "net_raw"
  | "sys_admin"
  | "sys_ptrace";

export interface Privileges {
  readonly capabilities: readonly Capability[];
  /** Root when left out. Another user has the capabilities as ambient ones. */
  readonly user?: number;
  /** Where the plugins are, for a user who can't reach them where they were built. */
  readonly folder?: string;
}

/** As callPlugin, with these privileges. */
export function callWith(
  { capabilities, user, folder = builtBinaries() }: Privileges,
  name: string,
  call: PluginCall,
): Promise<PluginOutcome> {
  const set = ["-all", ...capabilities.map((capability) => `+${capability}`)].join(",");
  const other = [
    ...[`--reuid=${user}`, `--regid=${user}`, "--clear-groups", `--inh-caps=${set}`],
    `--ambient-caps=${set}`,
  ];
  const become = [...(user === undefined ? [] : other), `--bounding-set=${set}`];
  return callProgram(["setpriv", ...become, "--", `${folder}/${name}`], call, folder);
}
