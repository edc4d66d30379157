/**
 * Finds what a living attachment has lost on the host's side, with the plugins' own checks, and how it is put back: rules of
 * bridge, portmap and firewall, sources of firewalld, forwarding and route_localnet (rule O14).
 */
import { readNetworkConfig } from "../../cni/config.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { lockHost } from "../../links/host-lock.ts";
import { isIsolated } from "../../links/port-isolation.ts";
import { isAttachmentAlias } from "../../links/veth-identity.ts";
import { chosen } from "../../netfilter/firewall/backend.ts";
import { check as checkFirewall } from "../../netfilter/firewall/check.ts";
import { setUp as setUpFirewall } from "../../netfilter/firewall/set-up.ts";
import { assign } from "../../netfilter/firewall/zone.ts";
import { findLosses, type Taken } from "../../netfilter/portmap/losses.ts";
import { setUp as publish } from "../../netfilter/portmap/set-up.ts";
import { parseFirewallConfig, wantedFor } from "../../plugins/firewall/config.ts";
import { containerAddresses, parsePortmapConfig } from "../../plugins/portmap/config.ts";
import { deviceOf, goneOf, recordOf } from "../../plugins/portmap/surroundings.ts";
import type { Document } from "../../schema/keys.ts";
import { get } from "../../schema/parse.ts";
import { beginUndo, limitCall, withHalfOfTheTime } from "../../sys/deadline.ts";
import type { FoundAttachment } from "../attachments.ts";
import { resultOf } from "../cached-result.ts";
import { argsOf, configurationOf, pluginsOf } from "../doctor/call-plugin.ts";
import { typeOf } from "../networks.ts";
import { bridgeLosses } from "./bridge-losses.ts";
import type { LivingParts } from "./living-attachment.ts";
import { type Loss, lossIf, type PluginLoss } from "./loss.ts";

/** An attachment that can be looked at. */
export interface Subject {
  readonly attachment: FoundAttachment;
  readonly requests: readonly { readonly plugin: string; readonly request: Request }[];
  readonly result: Result;
  /** Whether bridge itself isolates the port. */
  readonly isolates: boolean;
}

/** How an attachment that has a port stands to the one that lacks it. */
export type Claim = "newer" | "older" | "unknown";

/**
 * What CHECK gets, for each plugin whose losses are known. @throws CniError or KeyError for a configuration that cannot be read;
 * undefined if the cache holds no configuration or no result
 */
export function subjectOf(attachment: FoundAttachment, log: (line: string) => void): Subject | undefined {
  const { cached } = attachment;
  if (cached?.config === undefined || cached.result === undefined) return undefined;
  const plugins = pluginsOf(cached.config);
  const requests = plugins.flatMap((plugin) => {
    const request = requestOf(attachment, plugin, log);
    return request === undefined ? [] : { plugin: typeOf(plugin), request };
  });
  // A request says what is wrong with a result that cannot be read.
  const result = requests[0]?.request.config.prevResult ?? resultOf(cached);
  if (result === undefined) return undefined;
  const isolates = plugins.some(
    (plugin) => typeOf(plugin) === "bridge" && get(plugin, "portIsolation") === true,
  );
  return { attachment, requests, result, isolates };
}

const REPAIRED = ["bridge", "portmap", "firewall"];

function requestOf(
  { network, containerId, ifname, cached, netns }: FoundAttachment,
  plugin: Document,
  log: (line: string) => void,
): Request | undefined {
  if (!REPAIRED.includes(typeOf(plugin)) || cached === undefined) return undefined;
  const cniVersion = String(get(cached.config ?? {}, "cniVersion") ?? "");
  const document = configurationOf({ network, cniVersion, plugin, attachment: cached });
  return {
    ...{ command: "ADD", network, containerId, ifname, log },
    netns: netns?.path ?? "",
    args: argsOf(cached.cniArgs),
    config: readNetworkConfig(document, "ADD"),
    // Nothing is delegated.
    ...{ path: [], stdin: new Uint8Array(), environment: {} },
    delegation: {
      isExecutable: () => false,
      builtIn: () => undefined,
      run: () => Promise.reject(new Error("nothing is delegated")),
    },
    time: { limit: limitCall, beginUndo, half: withHalfOfTheTime },
  };
}

/**
 * All losses, in the order of the chain.
 * @param claimOf how the attachment that has taken a port stands to this one
 * @throws CniError, KeyError, NetlinkError, SystemError
 */
export async function lossesOf(
  subject: Subject,
  parts: LivingParts,
  claimOf: (taken: Taken) => Claim,
): Promise<readonly PluginLoss[]> {
  let losses: readonly PluginLoss[] = [];
  for (const { plugin, request } of subject.requests) {
    const own =
      plugin === "bridge"
        ? await bridgeLosses(request, subject.result, parts)
        : plugin === "portmap"
          ? await portLosses(request, subject.result, claimOf)
          : await firewallLosses(request, subject, parts);
    losses = [...losses, ...own.map((loss) => ({ ...loss, plugin }))];
  }
  return losses;
}

/** A port that a newer attachment has is not lost (M47). One of which nothing is known keeps it. */
async function portLosses(
  request: Request,
  result: Result,
  claimOf: (taken: Taken) => Claim,
): Promise<readonly Loss[]> {
  const { mappings, backend, published } = parsePortmapConfig(request);
  if (mappings.length === 0) return [];
  const { network, containerId, ifname, log } = request;
  const addresses = containerAddresses(result, ifname);
  const device = published.snat ? deviceOf(addresses) : undefined;
  const whole = { ...published, addresses, network, containerId, ifname, record: recordOf(request) };
  const { missing, taken } = await findLosses(backend, whole, device);
  const lost = taken.filter((each) => claimOf(each) !== "newer");
  if (missing.length === 0 && lost.length === 0) return [];
  const what = "published ports";
  const why = [...missing, ...lost.map(({ words }) => words)].join("; ");
  const unknown = lost.find((each) => claimOf(each) === "unknown");
  if (unknown !== undefined) return [{ what, why: `${why}; ${UNKNOWN_OWNER}` }];
  const lock = () => lockHost(log);
  return [{ what, why, putBack: () => publish(whole, { backend, device, gone: goneOf, lock, log }) }];
}

const UNKNOWN_OWNER =
  'libcni\'s cache does not have the container that has the port; "bridgehead gc" tells whether it is dead';

async function firewallLosses(
  request: Request,
  { result, isolates }: Subject,
  { hostEnd }: LivingParts,
): Promise<readonly Loss[]> {
  const isOurs = isAttachmentAlias(hostEnd?.alias);
  const config = parseFirewallConfig(request);
  const { backend, firewalldZone } = config;
  // The reference has no rule for published ports, and its DEL would leave ours.
  const acceptPublished = isOurs && config.acceptPublished;
  const all = wantedFor(request, { ...config, acceptPublished }, result);
  if (all.addresses.length === 0) return [];
  const port = all.ingress?.isolatedPort;
  // ADD records a port that it has isolated itself; the reference isolates none.
  const isRecorded = port !== undefined && !isolates && (isOurs || isIsolated(port));
  const { ingress } = all;
  const wanted =
    ingress === undefined || isRecorded ? all : { ...all, ingress: { ...ingress, isolatedPort: undefined } };
  const choice = await chosen(backend);
  const losses = await lossIf(
    choice.isZoned ? "firewall rules and sources of firewalld" : "firewall rules",
    () => checkFirewall(backend, firewalldZone, wanted),
    async () => {
      const addresses = wanted.addresses.map(({ address }) => address);
      if (choice.isZoned) await assign(firewalldZone, addresses, () => {});
      await setUpFirewall(choice, wanted);
    },
  );
  if (port === undefined || !isRecorded || isIsolated(port)) return losses;
  const why = `bridge port ${JSON.stringify(port)} is not isolated any more; repair changes no links, so let the runtime start the container again`;
  return [...losses, { what: "isolation of its port", why }];
}
