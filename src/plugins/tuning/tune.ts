/** Changes a container as it is configured, all of it or nothing (rules T9, T12, T30, T39). */
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { UndoStack } from "../../cni/undo.ts";
import { connectInside, openNetns, runInside } from "../../links/namespaces.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Netns } from "../../sys/netns.ts";
import { hasSettings, type TuningConfig } from "./config.ts";
import {
  type FoundLink,
  findSettings,
  type LinkState,
  requireInBounds,
  SETTINGS,
  setSetting,
} from "./link-state.ts";
import { saveState } from "./save.ts";
import { requireWritable, type Sysctl, writeSysctl } from "./sysctls.ts";

/** What the steps need. */
interface Steps {
  readonly request: Request;
  readonly config: TuningConfig;
  readonly netns: Netns;
  /** Undefined if no setting of the link is configured. The undo uses it too. */
  readonly container: Connection | undefined;
  readonly undo: UndoStack;
}

/** Returns the state of the link after its changes; undefined if it had none. @throws CniError when all is undone */
export async function tune(request: Request, config: TuningConfig): Promise<LinkState | undefined> {
  using netns = openNetns(request.netns);
  using container = hasSettings(config.link) ? connectInside(netns) : undefined;
  const undo = new UndoStack();
  try {
    return change({ request, config, netns, container, undo });
  } catch (error) {
    throw toCniError(error).afterUndo(await undo.run(request));
  }
}

/** All is verified before the first change. */
function change({ request, config, netns, container, undo }: Steps): LinkState | undefined {
  const { sysctls, link } = config;
  const setSysctls = sysctls.length === 0 ? undefined : preparedSysctls(sysctls, { netns, undo });
  if (container === undefined) {
    setSysctls?.();
    return undefined;
  }
  const found = requireLink(container, request);
  requireInBounds(found, link, request.netns);
  setSysctls?.();
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
function preparedSysctls(
  sysctls: readonly Sysctl[],
  { netns, undo }: Pick<Steps, "netns" | "undo">,
): () => void {
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
