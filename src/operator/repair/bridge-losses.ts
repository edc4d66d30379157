/** What an attachment of the plugin bridge has lost: masquerade rules, spoof check, forwarding. */
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { UndoStack } from "../../cni/undo.ts";
import { enableForwarding } from "../../links/forwarding.ts";
import { FORWARDING, isForwarding } from "../../links/gateway.ts";
import { connect } from "../../links/namespaces.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import { hasFamily } from "../../net/prefix.ts";
import { check as checkMasquerade } from "../../netfilter/masquerade/check.ts";
import { setUp as masquerade } from "../../netfilter/masquerade/set-up.ts";
import { check as checkSpoofCheck } from "../../netfilter/spoof-check/check.ts";
import { setUp as setUpSpoofCheck } from "../../netfilter/spoof-check/set-up.ts";
import { ownIps } from "../../plugins/bridge/check-addressing.ts";
import { parseBridgeConfig } from "../../plugins/bridge/config.ts";
import { sysctlName } from "../../sys/sysctl.ts";
import type { LivingParts } from "./living-attachment.ts";
import { type Loss, lossIf } from "./loss.ts";

/** The losses, as the plugin's CHECK finds them. @throws CniError, KeyError, NetlinkError, SystemError */
export async function bridgeLosses(
  request: Request,
  result: Result,
  { hostEnd, mac }: LivingParts,
): Promise<readonly Loss[]> {
  const { ipMasq, ipMasqBackend, macspoofchk, isGateway, ipam } = parseBridgeConfig(request);
  const name = macspoofchk ? hostEnd?.name : undefined;
  const spoofing =
    name === undefined
      ? []
      : await lossIf(
          "spoof check",
          () => checkSpoofCheck(request, name, mac),
          () => setUpSpoofCheck(request, name, mac),
        );
  if (ipam === undefined) return spoofing;
  const ips = ownIps(request, result);
  const addresses = ips.map(({ address }) => address);
  const masquerading = ipMasq
    ? await lossIf(
        "masquerade rules",
        () => checkMasquerade(ipMasqBackend, request, addresses),
        () => masquerade(ipMasqBackend, request, addresses),
      )
    : [];
  const closed = FAMILIES.filter((family) => isGateway && hasFamily(ips, family) && !isForwarding(family));
  return [...spoofing, ...masquerading, ...forwardingLoss(closed, request)];
}

function forwardingLoss(closed: readonly Family[], { log }: Request): readonly Loss[] {
  if (closed.length === 0) return [];
  const why = closed.map((family) => `${sysctlName(FORWARDING[family])} is 0`).join(", ");
  const putBack = async (): Promise<void> => {
    using host = connect();
    enableForwarding({ host, undo: new UndoStack(), log }, closed, false);
  };
  return [{ what: "forwarding", why, putBack }];
}
