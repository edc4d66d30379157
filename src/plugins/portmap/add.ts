/** ADD: publishes the container's ports and passes prevResult on (rules M1, M2, M9, M18, M46). */

import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { reduceTo } from "../../cni/result-version.ts";
import { UndoStack } from "../../cni/undo.ts";
import { lockHost } from "../../links/host-lock.ts";
import { containerAddresses, parsePortmapConfig } from "./config.ts";

export async function add(request: Request): Promise<Result> {
  const { mappings, backend, published } = parsePortmapConfig(request);
  const { prevResult, cniVersion } = request.config;
  if (prevResult === undefined)
    throw new CniError(
      code.invalidConfig,
      "must be called as chained plugin: there is no prevResult; put portmap after the plugin that makes the interface",
    );
  // Must fail for a result that this version can't express before anything is touched.
  const result = reduceTo(cniVersion, prevResult);
  if (mappings.length === 0) return result;
  const addresses = containerAddresses(prevResult, request.ifname);
  if (addresses[4] === undefined && addresses[6] === undefined) return result;
  const { network, containerId, ifname, log } = request;
  const { deviceOf, goneOf, recordOf } = await import("./surroundings.ts");
  const undo = new UndoStack();
  undo.push("published ports", async () => (await import("./del.ts")).removePorts(request));
  try {
    const { setUp } = await import("../../netfilter/portmap/set-up.ts");
    await setUp(
      { ...published, addresses, network, containerId, ifname, record: recordOf(request) },
      {
        backend,
        device: published.snat ? deviceOf(addresses) : undefined,
        gone: goneOf,
        lock: () => lockHost(log),
        log,
      },
    );
    (await import("./host-sockets.ts")).warnOfSockets(mappings, log);
  } catch (error) {
    throw toCniError(error).afterUndo(await undo.run(request));
  }
  return result;
}
