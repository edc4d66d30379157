/**
 * DEL: gives the interface its former settings back, and removes the file that they were saved in, whether or not the
 * namespace is there (rules T16, T33, T34). It needs no other key than `dataDir`. A failure is only logged: libcni would stop
 * there, and the plugins before this one, which remove the interface, would not run.
 */
import { toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { connectInside } from "../../links/namespaces.ts";
import { Netns, NoNamespaceError } from "../../sys/netns.ts";
import { dataDirOf } from "./config.ts";
import { findSettings, SETTINGS, setSetting } from "./link-state.ts";
import { isFrom } from "./origin.ts";
import { isOf, pathsFor, readSaved, removeSaved, type SavedState } from "./saved-state.ts";

export function del(request: Request): void {
  const { shared, own } = pathsFor(dataDirOf(request), request);
  for (const path of [shared, own]) {
    if (path === undefined) continue;
    logged(request, () => {
      const saved = readSaved(path);
      // Another attachment's file can have the same name.
      if (!isOf(saved?.origin, request)) return;
      if (saved !== undefined) logged(request, () => restore(saved, request));
      removeSaved(path);
    });
  }
}

function logged({ log }: Request, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (error instanceof NoNamespaceError) return;
    log(`tuning: ${toCniError(error).message}`);
  }
}

/** @throws NoNamespaceError when the namespace is gone, and its interface with it; SystemError, NetlinkError */
function restore({ state, origin }: SavedState, request: Request): void {
  const { netns: path, ifname, log } = request;
  if (path === "") return;
  using netns = Netns.open(path);
  if (origin !== undefined && !isFrom(origin, netns)) {
    log(
      `tuning: ${path} is not the namespace that the settings of ${JSON.stringify(ifname)} are from; they are dropped`,
    );
    return;
  }
  using container = connectInside(netns);
  const link = findSettings(container, origin === undefined ? ifname : origin);
  if (link === undefined) return;
  for (const setting of SETTINGS.toReversed()) {
    const value = state[setting];
    if (value !== undefined)
      logged(request, () => setSetting(container, link, setting, value, ` in ${path}`));
  }
}
