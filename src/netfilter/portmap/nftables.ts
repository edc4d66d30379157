/**
 * Published ports in tables of nftables (rules M15 to M17, M43 to M47, M51, M52, M54). Chains, rules and comments are the
 * reference's, so that each program finds and removes the rules of the other. The comment is the container's id alone;
 * network and interface stand in further user data, which nft does not show.
 */
import type { Attachment } from "../../cni/attachment.ts";
import type { Family, IpAddress } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { addChain, type Chain } from "../../netlink/nftables/chain.ts";
import { addRule, deleteRule, insertRule } from "../../netlink/nftables/rule.ts";
import { addTable, decodeTable, deleteTable, getTable } from "../../netlink/nftables/table.ts";
import { comment, text, type UserDatum } from "../../netlink/nftables/userdata.ts";
import { attachmentMark } from "../attachment-names.ts";
import { findChains, getEach } from "../kernel.ts";
import { datumType, HOSTPORTS, madeHere, type OwnChain } from "../nftables/base-chains.ts";
import { encodeRule } from "../nftables/expressions.ts";
import { having, type NftRule, type Part, rulesIn } from "../nftables/found-rules.ts";
import { isMarked } from "../nftables/own-tables.ts";
import { RuleStencils } from "../nftables/rule-stencils.ts";
import { isSame } from "../rule.ts";
import type { Compiled } from "./conditions.ts";
import { type Chains, entryRules, mappingRule, masqueradeRules } from "./nftables-layout.ts";
import { mappingsAmong } from "./port-sieve.ts";
import {
  type Mapping,
  mappingsOf,
  ownerText,
  type Published,
  parseOwner,
  type Rival,
  takenFrom,
} from "./published.ts";

/** NFTNL_UDATA_COMMENT_MAXLEN: nft refuses a longer comment, and shows none. */
const MAX_COMMENT = 128;
/** NFT_USERDATA_MAXLEN, less the types and lengths of three data and the NULs behind their texts. */
const MAX_USER_DATA = 256 - 3 * 3;

/** The comment on a container's rules. A longer id than nft can show is cut; the mark tells such containers apart. */
export const idComment = (containerId: string): string => containerId.slice(0, MAX_COMMENT - 1);

/** Which rules a call is about. */
export interface Owned {
  /** Whether a rule with this mark is. */
  readonly mark: (mark: string) => boolean;
  /** Whether a rule without a mark is: of this container, and to this address of a container. */
  readonly unmarked: (containerId: string, address: IpAddress | undefined) => boolean;
  /** What a rule's message must contain one of. */
  readonly parts: readonly Part[];
}

/** The rules of one attachment. `isOwn` decides about an address in rules that do not tell of their attachment. */
export const ownedBy = (attachment: Attachment, isOwn: (address: IpAddress) => boolean): Owned => {
  const own = attachmentMark(attachment);
  const id = idComment(attachment.containerId);
  return {
    mark: (mark) => mark === own,
    unmarked: (containerId, address) => containerId === id && (address === undefined || isOwn(address)),
    parts: [own, commentBytes(id)],
  };
};

/** A comment as it is in a rule's message: its type and length, the text and a NUL. */
function commentBytes(id: string): Uint8Array {
  const text = new TextEncoder().encode(id);
  return Uint8Array.of(0, text.length + 1, ...text, 0);
}

const isOwned = ({ mark, comment = "", part }: NftRule, owned: Owned): boolean =>
  mark !== undefined
    ? owned.mark(mark)
    : comment !== "" && owned.unmarked(comment, part?.to?.address ?? part?.destination?.prefix.address);

/** What ADD needs to know of a family's table. */
export interface HostportState {
  readonly chains: { readonly [K in keyof Chains]: Chain | undefined };
  /** Rules that lead to the same attachment, from an earlier ADD. */
  readonly stale: readonly NftRule[];
  /** Rules of others that take packets of a mapping. */
  readonly rivals: readonly { readonly rule: NftRule; readonly mapping: Mapping }[];
  /** Rules of the three chains that have none of mappings. */
  readonly entries: readonly NftRule[];
}

const KEYS = ["ports", "hostIpPorts", "all", "prerouting", "output", "masquerading"] as const;

/** Reads the chains of a family. @throws NetlinkError */
export function chainsOf(connection: Connection, family: Family): HostportState["chains"] {
  const found = findChains(
    connection,
    KEYS.map((key) => HOSTPORTS[family][key]),
  );
  return Object.fromEntries(KEYS.map((key, index) => [key, found[index]])) as HostportState["chains"];
}

/** @throws NetlinkError */
export function readState(connection: Connection, family: Family, published: Published): HostportState {
  const chains = chainsOf(connection, family);
  const own = HOSTPORTS[family];
  const { ports, hostIpPorts, masquerading } = chains;
  const address = published.addresses[family]?.address;
  const owned = ownedBy(published, (each) => each.value === address?.value);
  const stale: NftRule[] = [];
  const rivals: { readonly rule: NftRule; readonly mapping: Mapping }[] = [];
  const taken = takenFrom(mappingsOf(published, family), family);
  const sieve = mappingsAmong(owned.parts, published, family);
  for (const chain of [ports, hostIpPorts]) {
    if (chain === undefined) continue;
    for (const rule of rulesIn(connection, chain, undefined, sieve)) {
      if (isOwned(rule, owned)) stale.push(rule);
      else if (rule.part?.verdict === "dnat")
        for (const mapping of taken(rule.part)) rivals.push({ rule, mapping });
    }
  }
  // An attachment has masquerade rules only together with others. The chain is the longest one.
  if (stale.length > 0 && masquerading?.use)
    for (const rule of rulesIn(connection, masquerading, (each) => isOwned(each, owned), having(owned.parts)))
      stale.push(rule);
  const entries = [own.all, own.prerouting, own.output].flatMap((chain) =>
    ports === undefined ? [] : rulesIn(connection, chain),
  );
  return { chains, stale, rivals, entries };
}

/** The rules of a family that a call is about. @throws NetlinkError */
export function ownRules(connection: Connection, family: Family, owned: Owned): NftRule[] {
  const { ports, hostIpPorts, masquerading } = HOSTPORTS[family];
  return [ports, hostIpPorts, masquerading].flatMap((chain) =>
    rulesIn(connection, chain, (rule) => isOwned(rule, owned), having(owned.parts)),
  );
}

/**
 * The messages after which the family has the attachment's rules and no others of it. New rules come first: the newest
 * mapping of a port wins (M47). Existing chains and rules are kept where they are as they should be (M17).
 */
export function setUpRequests(
  published: Published,
  family: Family,
  { chains, stale, entries }: HostportState,
  compiled: Compiled | undefined,
): Request[] {
  const address = published.addresses[family]?.address;
  if (address === undefined) return [];
  const own = HOSTPORTS[family];
  const { family: tableFamily, table } = own.ports;
  const requests = [
    addTable({ family: tableFamily, table, userData: [comment("CNI portmap plugin"), madeHere] }),
  ];
  for (const key of KEYS)
    if (chains[key] === undefined && (key !== "masquerading" || published.snat))
      requests.push(addChain(own[key]));
  for (const [chain, wanted] of entryRules(own)) {
    const found = entries.filter((rule) => rule.chain === chain.chain);
    if (found.length === wanted.length && wanted.every((rule, at) => isSame(found[at]?.rule, rule))) continue;
    for (const rule of found) requests.push(deleteRule(rule));
    for (const rule of wanted)
      requests.push(addRule({ ...named(chain), expressions: encodeRule(rule, tableFamily, NATIVE) }));
  }
  for (const rule of stale) requests.push(deleteRule(rule));
  const userData = userDataOf(published);
  const mappings = mappingsOf(published, family);
  const stencils = new RuleStencils(compiled === undefined ? mappings.length : 0);
  const place = { action: "insert", chain: own.ports.chain, userData };
  let setId = 1;
  for (const mapping of mappings.reverse()) {
    const needed = compiled?.instance(own.ports, setId);
    setId += needed?.sets ?? 0;
    for (const request of needed?.requests ?? []) requests.push(request);
    requests.push(
      stencils.request(mappingRule(mapping, address), place, (rule) => {
        const expressions = [...(needed?.expressions ?? []), ...encodeRule(rule, tableFamily, NATIVE)];
        return insertRule({ ...named(own.ports), userData, expressions });
      }),
    );
  }
  for (const rule of masqueradeRules(published, family)) {
    const expressions = encodeRule(rule, tableFamily, NATIVE);
    requests.push(addRule({ ...named(own.masquerading), userData, expressions }));
  }
  return requests;
}

const NATIVE = { isNative: true } as const;

const named = ({ family, table, chain }: OwnChain) => ({ family, table, chain });

function userDataOf(published: Published): UserDatum[] {
  const mark = attachmentMark(published);
  const id = idComment(published.containerId);
  const left = MAX_USER_DATA - mark.length - id.length;
  return [comment(id), text(datumType.attachment, mark), text(datumType.owner, ownerText(published, left))];
}

/** The other attachment of a rule. */
export function rivalOf({ rule, mapping }: HostportState["rivals"][number]): Rival {
  const { record, network } = parseOwner(rule.owner ?? "");
  return { mapping, containerId: rule.comment, network: network || undefined, mark: rule.mark, record };
}

/**
 * The request that deletes a family's table if this program has made it and nothing of an attachment or of another program is
 * left in it. @throws NetlinkError
 */
export function emptyTableRequests(connection: Connection, family: Family): Request[] {
  const chains = chainsOf(connection, family);
  // Rules of each chain and what leads there, when there are no mappings.
  const idle = { ports: 1, hostIpPorts: 1, all: 4, prerouting: 1, output: 1, masquerading: 0 } as const;
  const present = KEYS.flatMap((key) => chains[key] ?? []);
  if (present.length === 0 || KEYS.some((key) => (chains[key]?.use ?? idle[key]) !== idle[key])) return [];
  const [reply] = getEach(connection, [getTable(HOSTPORTS[family].ports)]);
  const table = reply && decodeTable(reply);
  return isMarked(table) && table?.use === present.length ? [deleteTable(HOSTPORTS[family].ports)] : [];
}
