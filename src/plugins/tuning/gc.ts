/** GC: removes the saved settings of attachments of this network that are not in the runtime's list (rule T33). */
import { requireValidAttachments } from "../../cni/config.ts";
import { toCniError } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import { bootId } from "../../sys/boot.ts";
import { listDirectory } from "../../sys/directory.ts";
import { failedWith } from "../../sys/errno.ts";
import { isFileFailure } from "../../sys/own-file.ts";
import { dataDirOf } from "./config.ts";
import { recordIn } from "./origin.ts";
import { type Origin, readSaved, removeSaved, UNFINISHED } from "./saved-state.ts";

export async function gc(request: Request): Promise<void> {
  const { config, log } = request;
  const valid = requireValidAttachments(config);
  const stale = originsIn(dataDirOf(request), log).filter(
    ({ origin }) => origin.network === config.name && !valid.has(origin),
  );
  // An empty list may come from a runtime that has lost its state (rule K28).
  const living = valid.isEmpty ? await livingOf(stale.map(({ origin }) => origin)) : new Set();
  const failures = new Failures();
  for (const { path, origin } of stale) {
    if (living.has(origin)) {
      log(`tuning: ${path} is kept: its network namespace lives`);
      continue;
    }
    await failures.attemptLast(() => {
      removeSaved(path);
      const { containerId, ifname } = origin;
      log(`tuning: removed ${path}: container ${containerId}, interface ${ifname} is not a valid attachment`);
    });
  }
  failures.throwIfAny("cannot remove all saved settings");
}

/** The files whose origin is known. Those of the reference do not say of which network they are, so they stay for DEL. */
function originsIn(dataDir: string, log: Request["log"]): { path: string; origin: Origin }[] {
  const found: { path: string; origin: Origin }[] = [];
  for (const name of namesIn(dataDir)) {
    // A killed ADD leaves a file that is not renamed yet.
    if (!name.endsWith(".json") && !name.endsWith(`.json${UNFINISHED}`)) continue;
    const path = `${dataDir}/${name}`;
    try {
      const origin = readSaved(path)?.origin;
      if (origin !== undefined) found.push({ path, origin });
    } catch (error) {
      if (!isFileFailure(error)) throw error;
      log(`tuning: ${toCniError(error).message}`);
    }
  }
  return found;
}

function namesIn(directory: string): string[] {
  try {
    return listDirectory(directory);
  } catch (error) {
    if (failedWith(error, "ENOENT", "ENOTDIR")) return [];
    throw toCniError(error).during("cannot look for saved settings");
  }
}

/** Those whose namespace may still exist. */
async function livingOf(origins: readonly Origin[]): Promise<ReadonlySet<Origin>> {
  const boot = bootId();
  const records = new Map(
    origins.flatMap((origin) => {
      const record = recordIn(origin);
      return record?.boot === boot && record !== undefined ? [[origin, record] as const] : [];
    }),
  );
  const { findGone } = await import("../../leases/netns-liveness.ts");
  const gone = await findGone([...records.values()]);
  return new Set([...records].filter(([, record]) => !gone.has(record)).map(([origin]) => origin));
}
