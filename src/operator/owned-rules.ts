/** Reads the rules of containers, ours and the reference's, with what they say of their attachment (rule F30). */
import type { Attachment } from "../cni/attachment.ts";
import { FAMILIES, type Family, type IpAddress } from "../net/ip.ts";
import { parseIptablesComment, parsePortComment } from "../netfilter/attachment-names.ts";
import { list as firewallRules } from "../netfilter/firewall/list.ts";
import { readTable } from "../netfilter/iptables/legacy-table.ts";
import { hasLegacyTable, isUnsupported } from "../netfilter/kernel.ts";
import { IPTABLES_POSTROUTING, MASQ_CHECKS } from "../netfilter/nftables/base-chains.ts";
import { rulesIn } from "../netfilter/nftables/found-rules.ts";
import { SHARED } from "../netfilter/portmap/iptables-layout.ts";
import { list as portRules } from "../netfilter/portmap/list.ts";
import { parseOwner } from "../netfilter/portmap/published.ts";
import type { FoundRule } from "../netfilter/rule.ts";
import { list as spoofChecks } from "../netfilter/spoof-check/list.ts";
import type { Connection } from "../netlink/connection.ts";

/** What a rule is for. */
export type Purpose = "masquerade" | "port" | "firewall" | "spoof check";

/** A rule of a container. */
export interface OwnedRule extends Partial<Attachment> {
  readonly purpose: Purpose;
  /** "nftables", "iptables-nft", "ip6tables-legacy". */
  readonly backend: string;
  readonly family: Family | undefined;
  readonly chain: string;
  /** The mark of its attachment (attachmentMark); undefined for most rules of the reference. */
  readonly mark: string | undefined;
  /** The container's address that it is about. */
  readonly address: IpAddress | undefined;
  /** Undefined for an address in a set of the firewall's own table. */
  readonly found: FoundRule | undefined;
}

/**
 * All rules of containers in all backends. `netfilter` is undefined on a kernel without nf_tables.
 * @throws CniError, NetlinkError, SystemError
 */
export async function readOwnedRules(netfilter: Connection | undefined): Promise<OwnedRule[]> {
  const rules: OwnedRule[] = [];
  if (netfilter !== undefined) {
    for (const found of rulesIn(netfilter, MASQ_CHECKS))
      rules.push({ ...ofNftables("masquerade", found), ...namesOf(found.comment) });
    for (const found of ifSupported(() => spoofChecks(netfilter)))
      rules.push(ofNftables("spoof check", found));
  }
  for (const family of FAMILIES) {
    if (netfilter !== undefined) {
      for (const found of ifSupported(() => portRules(netfilter, family))) {
        const { ifname, network } = parseOwner(found.owner ?? "");
        const names = { ...(ifname !== "" && { ifname }), ...(network !== "" && { network }) };
        const containerId = found.comment ?? "";
        const address = found.part?.to?.address;
        rules.push({
          ...ofNftables("port", found, family),
          address,
          ...names,
          ...(containerId !== "" && { containerId }),
        });
      }
      const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
      const all = ifSupported(() => rulesIn(netfilter, { family: tableFamily, table }));
      for (const rule of ofIptables(all, family, "nft")) rules.push(rule);
    }
    if (hasLegacyTable(family, "nat")) {
      const all = [...readTable(family, "nat").chains.values()].flat();
      for (const rule of ofIptables(all, family, "legacy")) rules.push(rule);
    }
  }
  for (const { address, mark, place, found } of await firewallRules(netfilter))
    rules.push({
      purpose: "firewall",
      backend: place,
      family: address.family,
      chain: found?.chain ?? "",
      mark,
      address,
      found,
    });
  return rules;
}

function ifSupported<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch (error) {
    if (isUnsupported(error)) return [];
    throw error;
  }
}

const ofNftables = (purpose: Purpose, found: FoundRule, family?: Family): OwnedRule => ({
  purpose,
  backend: "nftables",
  family,
  chain: found.chain,
  mark: found.mark,
  address: undefined,
  found,
});

/** Names in a comment of the masquerade table (nftablesComment), as far as it was not cut. */
function namesOf(comment = ""): Partial<Attachment> {
  const [, network, ifname, containerId] = /, net: (.*), if: (.*), id: (.*)$/s.exec(comment) ?? [];
  // The kernel keeps 128 bytes of a comment, so a comment of that length may have lost its end.
  const isWhole = new TextEncoder().encode(comment).length < 127;
  if (network === undefined || ifname === undefined || containerId === undefined) return {};
  return { network, ifname, ...(isWhole && { containerId }) };
}

/** The rules of the nat table of one variant and family that are about containers. */
function* ofIptables(
  all: readonly FoundRule[],
  family: Family,
  variant: "nft" | "legacy",
): Generator<OwnedRule> {
  const backend = `${family === 4 ? "iptables" : "ip6tables"}-${variant}`;
  const base = { backend, family };
  /** The containers of chains of published ports, by the rules that lead there. */
  const containers = new Map<string, Partial<Attachment>>();
  for (const found of all) {
    const comment = found.part?.comment ?? found.rule?.comment;
    const { chain, mark } = found;
    if (chain === SHARED.entry && found.target !== undefined) {
      const names = defined(parsePortComment(comment));
      containers.set(found.target, names);
      yield { ...base, purpose: "port", chain, mark, address: undefined, found, ...names };
      continue;
    }
    const names = parseIptablesComment(comment);
    if (names === undefined) continue;
    const address = found.rule?.source?.prefix.address;
    yield { ...base, purpose: "masquerade", chain, mark, address, found, ...defined(names) };
  }
  for (const found of all) {
    const { chain, mark } = found;
    if (!chain.startsWith("CNI-DN-")) continue;
    const address = (found.part ?? found.rule)?.to?.address;
    yield { ...base, purpose: "port", chain, mark, address, found, ...containers.get(chain) };
  }
}

/** The names that are known. */
const defined = (
  names: { readonly network: string | undefined; readonly containerId: string | undefined } | undefined,
): Partial<Attachment> => ({
  ...(names?.network !== undefined && { network: names.network }),
  ...(names?.containerId !== undefined && { containerId: names.containerId }),
});

/** What a rule of a published port records of its container's namespace; undefined if it records nothing. */
export function recordOf({ found }: OwnedRule): string | undefined {
  const owner = found !== undefined && "owner" in found ? found.owner : undefined;
  return typeof owner === "string" ? parseOwner(owner).record : undefined;
}
