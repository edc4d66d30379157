/** Commands that take rules away from many attachments at once. */
import type { Backend, Network } from "./networks.ts";

export interface Flush {
  readonly command: string;
  /** Whose attachments lose rules. */
  readonly hits: (network: Network) => boolean;
  /** Whether one may have all its rules all the same: which variant of iptables has them is not known. */
  readonly uncertain: boolean;
}

type Hits = Flush["hits"];
const masquerades =
  (backend: Backend): Hits =>
  ({ masquerade }) =>
    masquerade === backend;
const publishes =
  (backend: Backend): Hits =>
  ({ behind }) =>
    behind?.portmap === backend;
const filters =
  (backend: Backend): Hits =>
  ({ behind }) =>
    behind?.firewall === backend;
const either =
  (...hits: readonly Hits[]): Hits =>
  (network) =>
    hits.some((each) => each(network));
const ofNat = either(masquerades("iptables"), publishes("iptables"));
const hasRules: Hits = ({ masquerade, spoofCheck, behind }) =>
  masquerade !== undefined || spoofCheck || behind !== undefined;

const legacy = (table: string): string =>
  `for f in ip ip6; do grep -qs '^${table}$' /proc/net/"$f"_tables_names && "$f"tables-legacy -w -t ${table} -F; done; true`;

const certain = (command: string, hits: Hits): Flush => ({ command, hits, uncertain: false });
const uncertain = (command: string, hits: Hits): Flush => ({ command, hits, uncertain: true });

const FLUSHES: readonly Flush[] = [
  uncertain("nft flush ruleset", hasRules),
  certain("nft delete table inet cni_plugins_masquerade", masquerades("nftables")),
  uncertain("nft flush table ip nat", ofNat),
  certain("nft delete table bridge nat", ({ spoofCheck }) => spoofCheck),
  uncertain(legacy("nat"), ofNat),
  certain("nft delete table ip cni_hostport", publishes("nftables")),
  certain("nft delete table ip6 cni_hostport", publishes("nftables")),
  // The next ADD brings it back for all.
  uncertain("nft delete table ip cni_hostport_guard", ({ behind }) => behind !== undefined),
  certain("nft delete table inet cni_firewall", filters("nftables")),
  uncertain("nft flush table ip filter", filters("iptables")),
  uncertain(legacy("filter"), filters("iptables")),
];

/** Those that hit any of these networks. */
export const flushesFor = (networks: readonly Network[]): readonly Flush[] =>
  FLUSHES.filter(({ hits }) => networks.some(hits));
