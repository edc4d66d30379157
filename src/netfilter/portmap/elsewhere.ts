/**
 * Removes rules that an earlier ADD of the same attachment has made with another backend: the runtime may have ended without
 * a DEL, and the host's backend may have changed since (rules M41, M45).
 */
import { Failures } from "../../cni/failures.ts";
import { FAMILIES, type Family, type IpAddress } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { portChain } from "../attachment-names.ts";
import { findChains, hasLegacyTable } from "../kernel.ts";
import { HOSTPORTS, IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";
import type { Published } from "./published.ts";
import type { Helpers } from "./removal.ts";

/** Where a backend has a family's rules. */
export type Table = "nftables" | "iptables-nft" | "iptables-legacy";

/** Removes the attachment's rules from all tables but those `used`. @throws CniError */
export async function removeElsewhere(
  netfilter: Connection | undefined,
  published: Published,
  used: ReadonlyMap<Family, Table>,
  helpers: Helpers,
): Promise<void> {
  const chain = portChain(published);
  const others = (table: Table): Family[] => FAMILIES.filter((family) => used.get(family) !== table);
  const ofIptables = others("iptables-nft");
  const ofNftables = others("nftables");
  const found =
    netfilter === undefined
      ? []
      : findChains(netfilter, [
          ...ofIptables.map((family) => ({ ...IPTABLES_POSTROUTING[family], chain })),
          ...ofNftables.map((family) => HOSTPORTS[family].ports),
        ]);
  const chains = new Map<Family, string[]>();
  const families: Family[] = [];
  for (const [index, family] of ofIptables.entries())
    if (found[index] !== undefined) chains.set(family, [chain]);
  for (const [index, family] of ofNftables.entries())
    if (found[ofIptables.length + index] !== undefined) families.push(family);
  const legacy = others("iptables-legacy").filter((family) => hasLegacyTable(family, "nat"));
  if (chains.size + families.length + legacy.length === 0) return;
  const isOwn = ({ family, value }: IpAddress): boolean =>
    published.addresses[family]?.address.value === value;
  const { remove } = await import("./removal.ts");
  const failures = new Failures();
  await remove(
    netfilter,
    {
      ofNftables: (await import("./nftables.ts")).ownedBy(published, isOwn),
      ofIptables: (await import("./iptables-removal.ts")).ownedBy(published, isOwn),
      ...{ chains, families, users: [] },
      legacyChains: async (family) => (legacy.includes(family) ? [chain] : []),
    },
    failures,
    helpers,
  );
  failures.throwIfAny("failed to remove ports that another backend has published");
}
