/** ADD: makes the rules, and returns the previous result as it is (rules F5, F7, F8, F14, F32, F35, F39). */
import { toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { reduceTo } from "../../cni/result-version.ts";
import { UndoStack } from "../../cni/undo.ts";
import { isIsolated, isolatePorts } from "../../links/port-isolation.ts";
import { chosen } from "../../netfilter/firewall/backend.ts";
import type { Wanted } from "../../netfilter/firewall/layout.ts";
import { setUp } from "../../netfilter/firewall/set-up.ts";
import { parseFirewallConfig, requirePrevious, wantedFor } from "./config.ts";

/** The attachment's port is isolated, and recorded before that, unless it is isolated already. */
function withPort(wanted: Wanted): Wanted {
  const { ingress } = wanted;
  const port = ingress?.isolatedPort;
  const isNew = port !== undefined && !isIsolated(port);
  return ingress === undefined || isNew
    ? wanted
    : { ...wanted, ingress: { ...ingress, isolatedPort: undefined } };
}

export async function add(request: Request): Promise<Result> {
  // All that can be refused is refused before anything is touched.
  const config = parseFirewallConfig(request);
  const result = requirePrevious(request);
  reduceTo(request.config.cniVersion, result);
  const wanted = withPort(wantedFor(request, config, result));
  if (wanted.addresses.length === 0) return result;
  const undo = new UndoStack();
  try {
    const choice = await chosen(config.backend);
    const addresses = wanted.addresses.map(({ address }) => address);
    if (choice.isZoned) {
      const { assign } = await import("../../netfilter/firewall/zone.ts");
      await assign(config.firewalldZone, addresses, (step) =>
        undo.push("addresses in a zone of firewalld", step),
      );
    }
    undo.push("firewall rules", async () => {
      const { tearDown } = await import("../../netfilter/firewall/tear-down.ts");
      const { addressesOf } = await import("./addresses.ts");
      const { attachment, adminChain, ingress } = wanted;
      await tearDown({
        attachment,
        adminChain,
        bridge: ingress?.bridge,
        // In x_tables rules are known by their address alone.
        addresses: () => addressesOf(request, result),
        zone: undefined,
      });
    });
    const released = await setUp(choice, wanted);
    if (released.length > 0) isolatePorts(released, false);
    const port = wanted.ingress?.isolatedPort;
    if (port !== undefined) {
      undo.push(`isolation of bridge port ${JSON.stringify(port)}`, () => isolatePorts([port], false));
      isolatePorts([port], true);
    }
    return result;
  } catch (error) {
    throw toCniError(error).afterUndo(await undo.run(request));
  }
}
