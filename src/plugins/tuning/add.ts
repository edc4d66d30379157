/**
 * ADD: sets what is configured, all of it or nothing (rules T4, T8–T12, T30, T32, T36, T39). Without settings it touches
 * nothing and gives back the previous result.
 */
import { requirePrevResult } from "../../cni/config.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { UndoStack } from "../../cni/undo.ts";
import { connectInside, openNetns, runInside } from "../../links/namespaces.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Netns } from "../../sys/netns.ts";
import { hasSettings, parseTuning, type TuningConfig } from "./config.ts";
import {
  type FoundLink,
  findSettings,
  type LinkState,
  requireInBounds,
  SETTINGS,
  setSetting,
} from "./link-state.ts";
import type { Sysctl } from "./sysctls.ts";

/** What the steps of an ADD need. */
interface Addition {
  readonly request: Request;
  readonly config: TuningConfig;
  readonly netns: Netns;
  /** Undefined if no setting of the link is configured. The undo uses it too. */
  readonly container: Connection | undefined;
  readonly undo: UndoStack;
}

export async function add(request: Request): Promise<Result> {
  const config = await parseTuning(request);
  const { sysctls, link } = config;
  if (sysctls.length > 0) (await import("./allowlist.ts")).requireAllowed(sysctls);
  const previous = requirePrevResult(
    request.config,
    "tuning changes the interface of an earlier plugin, so it cannot be the first of its list",
  );
  if (sysctls.length === 0 && !hasSettings(link)) return previous;
  using netns = openNetns(request.netns);
  using container = hasSettings(link) ? connectInside(netns) : undefined;
  const undo = new UndoStack();
  try {
    const now = await tune({ request, config, netns, container, undo });
    return now === undefined ? previous : updated(previous, request.ifname, link, now);
  } catch (error) {
    throw toCniError(error).afterUndo(await undo.run(request));
  }
}

/** Returns the state of the link after its changes; undefined if it had none. All is verified before the first change. */
async function tune({ request, config, netns, container, undo }: Addition): Promise<LinkState | undefined> {
  const { sysctls, link } = config;
  const setSysctls = sysctls.length === 0 ? undefined : await preparedSysctls(sysctls, { netns, undo });
  if (container === undefined) {
    setSysctls?.();
    return undefined;
  }
  const found = requireLink(container, request);
  requireInBounds(found, link, request.netns);
  setSysctls?.();
  const { saveState } = await import("./save.ts");
  saveState(request, config, netns, found, undo);
  for (const setting of SETTINGS) {
    const [value, before] = [link[setting], found.state[setting]];
    if (value === undefined) continue;
    const where = ` in ${request.netns} (now ${before})`;
    if (before !== undefined) {
      undo.push(`${setting} of ${JSON.stringify(found.name)}`, () => {
        if (findSettings(container, found) !== undefined) setSetting(container, found, setting, before);
      });
    }
    setSetting(container, found, setting, value, where);
  }
  return requireLink(container, request).state;
}

/** Verifies that all settings can be written, and returns a function that writes them in their order. @throws CniError */
async function preparedSysctls(
  sysctls: readonly Sysctl[],
  { netns, undo }: Pick<Addition, "netns" | "undo">,
): Promise<() => void> {
  const { requireWritable, writeSysctl } = await import("./sysctls.ts");
  const former = runInside(netns, () => sysctls.map((sysctl) => requireWritable(sysctl, netns.path)));
  return () =>
    runInside(netns, () => {
      for (const [index, sysctl] of sysctls.entries()) {
        const before = former[index];
        // A setting that cannot be read, such as net.ipv4.route.flush, is an action: it has no former value.
        if (before !== undefined) {
          undo.push(`sysctl ${JSON.stringify(sysctl.key)}`, () =>
            runInside(netns, () => writeSysctl(sysctl, netns.path, before)),
          );
        }
        writeSysctl(sysctl, netns.path);
      }
    });
}

function requireLink(container: Connection, { ifname, netns }: Request): FoundLink {
  const found = findSettings(container, ifname);
  if (found !== undefined) return found;
  throw new CniError(
    code.internal,
    `failed to get ${JSON.stringify(ifname)}: Link not found in ${netns}; ` +
      "an earlier plugin of the list must make the interface of CNI_IFNAME",
  );
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
