/**
 * ADD: sets what is configured, all of it or nothing (rules T4, T8, T30, T36). Without settings it touches nothing, loads
 * nothing and gives back the previous result.
 */
import { requirePrevResult } from "../../cni/config.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { hasSettings, parseTuning } from "./config.ts";
import type { LinkState } from "./link-state.ts";

export async function add(request: Request): Promise<Result> {
  const config = await parseTuning(request);
  const { sysctls, link } = config;
  if (sysctls.length > 0) (await import("./allowlist.ts")).requireAllowed(sysctls);
  const previous = requirePrevResult(
    request.config,
    "tuning changes the interface of an earlier plugin, so it cannot be the first of its list",
  );
  if (sysctls.length === 0 && !hasSettings(link)) return previous;
  const now = await (await import("./tune.ts")).tune(request, config);
  return now === undefined ? previous : updated(previous, request.ifname, link, now);
}

/** The previous result with what the kernel has now of the settings that were changed (rule T36). */
function updated(previous: Result, ifname: string, { mac, mtu }: LinkState, now: LinkState): Result {
  const interfaces = previous.interfaces.map((each) => {
    if (each.name !== ifname || !each.sandbox) return each;
    return {
      ...each,
      ...(mac !== undefined && now.mac !== undefined && { mac: now.mac }),
      ...(mtu !== undefined && now.mtu !== undefined && { mtu: now.mtu }),
    };
  });
  return { ...previous, interfaces };
}
