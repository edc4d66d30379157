/** Calls a plugin with some of the capabilities(7) only, as root or as another user. */
import { outcomeOf } from "./command.ts";
import { builtBinaries, type PluginCall, PluginOutcome } from "./plugin-call.ts";

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
export async function callWith(
  { capabilities, user, folder = builtBinaries() }: Privileges,
  name: string,
  call: PluginCall,
): Promise<PluginOutcome> {
  const set = ["-all", ...capabilities.map((capability) => `+${capability}`)].join(",");
  const become =
    user === undefined
      ? []
      : [
          `--reuid=${user}`,
          `--regid=${user}`,
          "--clear-groups",
          `--inh-caps=${set}`,
          `--ambient-caps=${set}`,
        ];
  const { exitCode, stdout, stderr } = await outcomeOf(
    ["setpriv", ...become, `--bounding-set=${set}`, "--", `${folder}/${name}`],
    {
      stdin: typeof call.config === "string" ? call.config : JSON.stringify(call.config),
      env: Object.fromEntries(
        Object.entries({
          PATH: process.env.PATH,
          CNI_PATH: folder,
          CNI_COMMAND: call.command,
          CNI_CONTAINERID: call.containerId,
          CNI_NETNS: call.netns,
          CNI_IFNAME: call.ifname,
        }).filter((entry): entry is [string, string] => entry[1] !== undefined),
      ),
    },
  );
  return new PluginOutcome(exitCode, stdout, stderr);
}
