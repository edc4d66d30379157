import type { Attachment } from "../../cni/attachment.ts";
import { FAMILIES, formatIp, ipToBytes } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { addElements, concatenate, deleteElements } from "../../netlink/nftables/element.ts";
import { comment } from "../../netlink/nftables/userdata.ts";
import { attachmentMark, networkMark, nftablesComment } from "../attachment-names.ts";
import { findChains, hasLegacyTable } from "../kernel.ts";
import { IPTABLES_FORWARD } from "../nftables/base-chains.ts";
import { having } from "../nftables/found-rules.ts";
import { update } from "../nftables/update.ts";
import { HostBridges } from "./bridges.ts";
import {
  type Ingress,
  type IngressPolicy,
  ingressDatum,
  RECORD,
  stricter,
  type Wanted,
  weaker,
} from "./layout.ts";
import { ADDRESSES, BRIDGES, PUBLISHED, tableRequests, WITHIN } from "./own-table.ts";
import {
  isOn,
  isWhole,
  nameKey,
  publishedAmong,
  type Recorded,
  readState,
  recordedIn,
  type TableState,
  wasLoaded,
} from "./table-state.ts";

/** Whether iptables has a chain of forwarded packets: there an accept of this table has no effect (F20). */
function hasIptables(connection: Connection): boolean {
  const found = findChains(connection, [IPTABLES_FORWARD[4], IPTABLES_FORWARD[6]]);
  if (found.some((chain) => chain !== undefined)) return true;
  return FAMILIES.some((family) => hasLegacyTable(family, "filter"));
}

/**
 * Adds an attachment's addresses and its bridge's policy, and removes its other addresses. Returns the ports that earlier
 * ADDs have isolated, if the bridge is not isolated any more. @throws NetlinkError
 */
export function setUpNftables(connection: Connection, wanted: Wanted): readonly string[] {
  let released: readonly string[] = [];
  const { attachment, adminChain, acceptPublished, addresses, ingress } = wanted;
  const mark = attachmentMark(attachment);
  update(connection, () => {
    const state = readState(connection);
    const requests: Request[] = [];
    const accepts = !hasIptables(connection);
    const adminChains = [...new Set([...state.adminChains, adminChain])];
    if (!isWhole(state, adminChains, accepts))
      for (const request of tableRequests(adminChains, accepts)) requests.push(request);
    released = [];
    const own = new Map(addresses.map(({ address }) => [formatIp(address), address]));
    let port = ingress?.isolatedPort;
    // Also an address that another attachment had: elements with other user data are not changed by adding them.
    const stale = recordedIn(connection, having([mark, ...[...own.values()].map(ipToBytes)])).filter(
      (found) => found.mark === mark || own.has(formatIp(found.address)),
    );
    for (const found of stale) if (found.mark === mark) port ??= found.ingress?.isolatedPort;
    for (const request of removal(connection, stale)) requests.push(request);
    for (const address of own.values()) {
      const key = ipToBytes(address);
      const record =
        ingress === undefined || ingress.policy === "open"
          ? []
          : [ingressDatum({ ...ingress, isolatedPort: port })];
      const userData = [comment(nftablesComment(attachment)), ...record];
      requests.push(addElements(ADDRESSES[address.family], [{ key, userData }]));
      if (acceptPublished) requests.push(addElements(PUBLISHED[address.family], [{ key }]));
    }
    if (ingress === undefined) return requests;
    const present = state.policies.get(ingress.bridge) ?? "open";
    // Others matter only if the bridge's policy might become weaker.
    const isEnough = stricter(ingress.policy, present) === ingress.policy;
    const isLoaded = wasLoaded(state);
    using bridges = new HostBridges();
    const recorded = isEnough
      ? []
      : recordedIn(connection, isLoaded ? undefined : having([RECORD])).filter((found) =>
          isOn(found, ingress.bridge, isLoaded, bridges),
        );
    const policy = effective(present, recorded, attachment, ingress);
    if (policy.policy !== "isolated" && present === "isolated")
      released = recorded.flatMap(({ ingress: record }) => record?.isolatedPort ?? []);
    return [...requests, ...policyRequests(state, policy)];
  });
  return released;
}

/** The policy of a bridge: the wanted one, or the present one if containers of other networks on it rely on it. */
function effective(
  present: IngressPolicy,
  recorded: readonly Recorded[],
  { network }: Attachment,
  ingress: Ingress,
): Ingress {
  let others: IngressPolicy = "open";
  for (const { mark, ingress: record } of recorded) {
    if (!mark.startsWith(networkMark(network))) others = stricter(others, record?.policy ?? present);
  }
  return { ...ingress, policy: stricter(ingress.policy, weaker(present, others)) };
}

/** Whether the sets have all of a bridge's policy. */
export const hasPolicy = (
  { policies, bridges, within }: TableState,
  { bridge, policy }: Pick<Ingress, "bridge" | "policy">,
): boolean =>
  (policies.get(bridge) ?? "open") === policy &&
  (policy === "open" || (bridges.has(bridge) && within.has(bridge)));

/** Gives a bridge this policy. */
export function policyRequests(state: TableState, { bridge, policy }: Ingress): Request[] {
  if (hasPolicy(state, { bridge, policy })) return [];
  const key = nameKey(bridge);
  const pair = concatenate(key, key);
  const isThere = state.bridges.has(bridge);
  const requests: Request[] = [];
  if (state.within.has(bridge)) requests.push(deleteElements(WITHIN, [{ key: pair }]));
  if (policy === "open") {
    if (isThere) requests.push(deleteElements(BRIDGES, [{ key }]));
    return requests;
  }
  if (!isThere) requests.push(addElements(BRIDGES, [{ key }]));
  const verdict = policy === "isolated" ? "drop" : "return";
  return [...requests, addElements(WITHIN, [{ key: pair, data: { verdict } }])];
}

/** Removes addresses from the sets. @throws NetlinkError */
export function removal(connection: Connection, removed: readonly Recorded[]): Request[] {
  const addresses = removed.map(({ address }) => address);
  const published = publishedAmong(connection, addresses);
  return addresses.flatMap((address) => {
    const element = [{ key: ipToBytes(address) }];
    const { family } = address;
    const isPublished = published.has(formatIp(address));
    return [
      deleteElements(ADDRESSES[family], element),
      ...(isPublished ? [deleteElements(PUBLISHED[family], element)] : []),
    ];
  });
}
