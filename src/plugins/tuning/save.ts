/** Saves the former settings of an interface before ADD changes them (rules T9, T32, T34). */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { UndoStack } from "../../cni/undo.ts";
import type { Netns } from "../../sys/netns.ts";
import { isFileFailure } from "../../sys/own-file.ts";
import type { TuningConfig } from "./config.ts";
import { type FoundLink, type LinkState, SETTINGS } from "./link-state.ts";
import { isFrom, originOf } from "./origin.ts";
import { isOf, pathsFor, readSaved, removeSaved, type SavedState, writeSaved } from "./saved-state.ts";

/** @throws CniError code 5 */
export function saveState(
  request: Request,
  { link, dataDir }: TuningConfig,
  netns: Netns,
  found: FoundLink,
  undo: UndoStack,
): void {
  const { path, earlier } = placeFor(dataDir, request);
  const former: LinkState = {};
  for (const setting of SETTINGS)
    if (link[setting] !== undefined) Object.assign(former, { [setting]: found.state[setting] });
  const origin = earlier?.origin;
  // A repeated ADD finds what the first one has set. What the first one has saved is older, and stays.
  const isRepeated = origin !== undefined && origin.index === found.index && isFrom(origin, netns);
  const state = isRepeated ? { ...former, ...earlier?.state } : former;
  undo.push(`the file ${path}`, () => (earlier === undefined ? removeSaved(path) : writeSaved(earlier)));
  writeSaved({ path, state, origin: originOf(request, netns, found.index) });
}

interface Place {
  readonly path: string;
  /** What is saved there already. */
  readonly earlier: SavedState | undefined;
}

/** Where the settings of an attachment are saved. @throws CniError code 5 if a foreign file is there */
function placeFor(dataDir: string, request: Request): Place {
  const { shared, own } = pathsFor(dataDir, request);
  try {
    const earlier = shared === undefined ? undefined : readSaved(shared);
    if (shared !== undefined && isOf(earlier?.origin, request)) return { path: shared, earlier };
    return { path: own, earlier: readSaved(own) };
  } catch (error) {
    if (!isFileFailure(error)) throw error;
    throw new CniError(code.io, `cannot save the former settings: ${error.message}`, "", { cause: error });
  }
}
