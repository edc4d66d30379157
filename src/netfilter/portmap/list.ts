/** Lists published ports, and removes those of attachments that are gone (M40). */
import type { ContainerInterface } from "../../cni/attachment.ts";
import { Failures } from "../../cni/failures.ts";
import { FAMILIES, type Family, type IpAddress } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { attachmentMark, networkMark, parseMarker, parsePortComment } from "../attachment-names.ts";
import { openNftables } from "../kernel.ts";
import { HOSTPORTS, IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";
import { type NftRule, rulesIn } from "../nftables/found-rules.ts";
import type { FoundRule } from "../rule.ts";
import { findUsers, markOfUser } from "./guard.ts";
import { SHARED } from "./iptables-layout.ts";
import { readLegacy } from "./iptables-state.ts";
import { idComment } from "./nftables.ts";
import { parseOwner } from "./published.ts";
import { type Helpers, remove } from "./removal.ts";

/** The attachments that GC keeps. */
export interface Valid extends Iterable<ContainerInterface> {
  hasContainer(containerId: string): boolean;
}

/** The rules of nftables that translate ports, of all networks: `comment` is the container's id. @throws NetlinkError */
export const list = (netfilter: Connection, family: Family): NftRule[] =>
  [HOSTPORTS[family].ports, HOSTPORTS[family].hostIpPorts].flatMap((chain) =>
    rulesIn(netfilter, chain, ({ part }) => part?.verdict === "dnat"),
  );

/** What GC needs beside the list. */
export interface Collection extends Helpers {
  /**
   * Whether an address is leased to this container in this network: rules of the reference in tables of nftables do not name
   * their network.
   */
  readonly isLeased: (containerId: string, address: IpAddress) => boolean;
  /** If given, only attachments with records of containers that are provably gone are removed. */
  readonly gone?: ((records: readonly string[]) => Promise<ReadonlySet<string>>) | undefined;
}

/**
 * Removes the published ports of a network's attachments that are not in `valid`, and goes on past errors.
 * @throws CniError
 */
export async function collect(
  network: string,
  valid: Valid,
  { isLeased, gone, ...helpers }: Collection,
): Promise<void> {
  using netfilter = openNftables();
  const failures = new Failures();
  const ofNetwork = networkMark(network);
  const stale = new Set<string>();
  const records = new Map<string, string>();
  const note = ({ mark, owner }: { mark?: string | undefined; owner?: string | undefined }): void => {
    if (!mark?.startsWith(ofNetwork)) return;
    stale.add(mark);
    if (owner !== undefined) records.set(mark, parseOwner(owner).record);
  };
  const isOfNetwork = ({ mark, part }: FoundRule): boolean =>
    mark?.startsWith(ofNetwork) === true || parsePortComment(part?.comment)?.network === network;
  const chains = new Map<Family, string[]>();
  const families: Family[] = [];
  let users: ReturnType<typeof findUsers> = [];
  const listed = new Map<Family, readonly NftRule[]>();
  await failures.attemptLast(() => {
    if (netfilter === undefined) return;
    for (const family of FAMILIES) {
      const ports = list(netfilter, family);
      listed.set(family, ports);
      if (ports.length > 0) families.push(family);
      for (const rule of ports) note(rule);
      const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
      const entries = rulesIn(netfilter, { family: tableFamily, table, chain: SHARED.entry }, isOfNetwork);
      for (const rule of entries) note(rule);
      const names = new Set(entries.flatMap(({ target }) => (target?.startsWith("CNI-DN-") ? target : [])));
      if (names.size > 0) chains.set(family, [...names]);
    }
    users = findUsers(netfilter, { network });
    for (const user of users) note({ mark: markOfUser(user) });
  });
  const legacyChains = async (family: Family): Promise<string[]> => {
    const state = await readLegacy(family);
    const names = new Set<string>();
    for (const [chain, rules] of state.chains) {
      if (!chain.startsWith("CNI-DN-")) continue;
      for (const { rule } of rules) note(parseMarker(rule?.comment) ?? {});
    }
    for (const entry of state.chains.get(SHARED.entry) ?? [])
      if (isOfNetwork(entry) && entry.target?.startsWith("CNI-DN-")) names.add(entry.target);
    await removeValid();
    return [...names];
  };
  const removeValid = async (): Promise<void> => {
    if (stale.size === 0) return;
    for (const { containerId, ifname } of valid)
      stale.delete(attachmentMark({ network, containerId, ifname }));
    if (gone === undefined) return;
    const dead = await gone([...records.values()]);
    for (const mark of stale) if (!dead.has(records.get(mark) ?? "")) stale.delete(mark);
  };
  await removeValid();
  const unmarkedIds = new Set(
    [...listed.values()].flat().flatMap(({ mark, comment = "", part }) => {
      const address = part?.to?.address;
      if (gone !== undefined || mark !== undefined || comment === "" || address === undefined) return [];
      if (valid.hasContainer(comment)) return [];
      return isLeased(comment, address) ? `${comment} ${address.value}` : [];
    }),
  );
  await remove(
    netfilter,
    {
      ofNftables: {
        mark: (mark) => stale.has(mark),
        unmarked: (id, address) => unmarkedIds.has(`${idComment(id)} ${address?.value}`),
        parts: [],
      },
      ofIptables: {
        mark: (mark) => stale.has(mark),
        comment: (comment) => {
          const named = parsePortComment(comment);
          if (gone !== undefined) return false;
          return (
            named?.network === network &&
            named.containerId !== undefined &&
            !valid.hasContainer(named.containerId)
          );
        },
        address: () => true,
      },
      chains,
      legacyChains,
      families,
      users: users.filter((user) => stale.has(markOfUser(user))),
    },
    failures,
    helpers,
  );
  failures.throwIfAny("failed to collect published ports");
}
