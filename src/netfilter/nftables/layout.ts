/** What the masquerade table of nftables consists of, as requests (rule B29). Pure. */
import type { Attachment } from "../../cni/attachment.ts";
import { ipToBytes } from "../../net/ip.ts";
import { networkOf, type Prefix } from "../../net/prefix.ts";
import type { Request } from "../../netlink/connection.ts";
import { addChain, type Chain, type ChainName, hookNumber } from "../../netlink/nftables/chain.ts";
import { addElements } from "../../netlink/nftables/element.ts";
import type { Expression } from "../../netlink/nftables/expression/expression.ts";
import { addRule } from "../../netlink/nftables/rule.ts";
import { addSet, type SetName } from "../../netlink/nftables/set.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import { comment } from "../../netlink/nftables/userdata.ts";
import { MULTICAST, outside, within } from "../address-rule.ts";
import { attachmentMark, nftablesComment } from "../attachment-names.ts";
import { matchAddress, matchSourceSet, ofFamily, verdict } from "../expressions.ts";
import { madeHere } from "../skeleton.ts";

/** The table of the backend: the reference has the same. */
export const TABLE = { family: "inet", table: "cni_plugins_masquerade" } as const;

/** Holds one rule for each address. */
export const CHECKS: ChainName = { ...TABLE, chain: "masq_checks" };

/** Where packets come in. Priority 100 is nft's `srcnat`; NF_ACCEPT is 1. */
export const POSTROUTING: Chain & ChainName = {
  ...TABLE,
  chain: "postrouting",
  base: { type: "nat", hook: hookNumber.postrouting, priority: 100, policy: 1 },
  userData: [madeHere],
};

/** The table and its chains; those that are there stay. */
export const skeleton = (): Request[] => [
  addTable({ ...TABLE, userData: [comment("masquerading of containers, by CNI plugins"), madeHere] }),
  addChain({ ...CHECKS, userData: [comment("what leaves a container's own subnet is masqueraded")] }),
  addChain(POSTROUTING),
];

/** The rules of postrouting. The reference empties the chain on each ADD and writes the same. */
export const postroutingRules = (): Request[] => {
  const { family, table, chain } = POSTROUTING;
  const spareMulticast = ([4, 6] as const).map((version): Expression[] => [
    ...ofFamily(version),
    ...matchAddress("destination", within(MULTICAST[version])),
    verdict("return"),
  ]);
  return [...spareMulticast, [verdict({ goto: CHECKS.chain })]].map((expressions) =>
    addRule({ family, table, chain, expressions }),
  );
};

/** How many those are. */
export const POSTROUTING_RULES = 3;

/** Name of the anonymous set of an attachment's nth address. */
export const setName = (attachment: Attachment, index: number): SetName => ({
  ...TABLE,
  set: `${attachmentMark(attachment)}-${index}`,
});

/**
 * An anonymous set with the address, then its rule. In this order and right behind each other in one transaction: the
 * kernel numbers a table's objects as they come, so that the rule's handle is the set's plus RULE_BEHIND_SET.
 */
export function addressRule(attachment: Attachment, index: number, prefix: Prefix): Request[] {
  const { family } = prefix.address;
  const set = { ...setName(attachment, index), id: index + 1 };
  const key = [family === 4 ? "ipv4_addr" : "ipv6_addr"] as const;
  return [
    addSet({ ...set, key, anonymous: true, constant: true, size: 1 }, { exclusive: true }),
    addElements(set, [{ key: ipToBytes(prefix.address) }]),
    addRule({
      ...CHECKS,
      userData: [comment(nftablesComment(attachment))],
      expressions: [
        ...ofFamily(family),
        ...matchSourceSet(family, set.set, set.id),
        ...matchAddress("destination", outside(networkOf(prefix))),
        { name: "masq" },
      ],
    }),
  ];
}

/** Distance of the handles of an address's set and rule. */
export const RULE_BEHIND_SET = 1n;
