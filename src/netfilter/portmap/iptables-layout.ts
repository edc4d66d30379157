/** The rules of published ports in the nat table of iptables (rules M10 to M14). */
import type { Family } from "../../net/ip.ts";
import { defaultPrefix, networkOf } from "../../net/prefix.ts";
import { portChain, portComment } from "../attachment-names.ts";
import { MOST_PORTS } from "../extensions.ts";
import { IPTABLES_HOSTPORTS } from "../nftables/base-chains.ts";
import { exactly, type FoundRule, isSame, type Protocol, type Rule } from "../rule.ts";
import { destinationOf, LOCALHOST, mappingsOf, type Published } from "./published.ts";

/** M11: the chains that all attachments share. */
export const SHARED = {
  setMark: "CNI-HOSTPORT-SETMARK",
  masquerade: "CNI-HOSTPORT-MASQ",
  entry: IPTABLES_HOSTPORTS[4].chain,
  /** Of versions of the reference before 1.0. */
  oldEntry: "CNI-HOSTPORT-SNAT",
} as const;

/** A rule that all attachments share, and whether it stands first in its chain. */
interface SharedRule {
  readonly chain: string;
  readonly rule: Rule;
  readonly isFirst?: boolean;
}

/** M11, M12: the shared rules that an attachment needs. */
export function sharedRules({
  snat,
  externalSetMarkChain,
  markBit,
}: Pick<Published, "snat" | "externalSetMarkChain" | "markBit">): SharedRule[] {
  const bit = 2 ** markBit;
  const rules: SharedRule[] = [];
  if (snat && externalSetMarkChain === undefined) {
    rules.push(
      {
        chain: SHARED.setMark,
        rule: { comment: "CNI portfwd masquerade mark", verdict: "mark", setMark: bit },
      },
      { chain: SHARED.masquerade, rule: { packetMark: bit, verdict: "masquerade" } },
      {
        chain: "POSTROUTING",
        rule: { comment: "CNI portfwd requiring masquerade", verdict: "jump", target: SHARED.masquerade },
        // The masquerade rules of containers would end the way of their packets.
        isFirst: true,
      },
    );
  }
  for (const chain of ["PREROUTING", "OUTPUT"])
    rules.push({ chain, rule: { isLocal: true, verdict: "jump", target: SHARED.entry } });
  return rules;
}

/** Whether a chain has this rule for all attachments, whichever bit of the packet mark it uses. */
export function isSharedRule(chain: string, rule: Rule | undefined): boolean {
  const bit = rule?.setMark ?? rule?.packetMark ?? 1;
  const published = { snat: true, markBit: Math.log2(bit) };
  return sharedRules(published).some((shared) => shared.chain === chain && isSame(rule, shared.rule));
}

/** M11, M12: the rules of the attachment in its container's chain. */
export function chainRules(published: Published, family: Family): Rule[] {
  const { addresses, snat, masqAll, externalSetMarkChain: target = SHARED.setMark } = published;
  const prefix = addresses[family];
  if (prefix === undefined) return [];
  const subnet = masqAll ? defaultPrefix(family) : networkOf(prefix);
  const source = { prefix: subnet, inverted: false };
  const localhost = exactly(LOCALHOST);
  const { address } = prefix;
  const rules: Rule[] = [];
  for (const mapping of mappingsOf(published, family)) {
    const { protocol, hostPort: port, containerPort } = mapping;
    const { destination } = destinationOf(mapping);
    const matches = destination === undefined ? { protocol, port } : { destination, protocol, port };
    if (snat) {
      const marked = { ...matches, verdict: "jump", target } as const;
      rules.push(subnet.length === 0 ? marked : { ...marked, source });
      if (family === 4 && !masqAll) rules.push({ ...marked, source: localhost });
    }
    rules.push({ ...matches, verdict: "dnat", to: { address, port: containerPort } });
  }
  return rules;
}

/** M11, M14: the rules that lead into the container's chain: for each protocol, up to 15 ports of all families. */
export function entryRules(published: Published): Rule[] {
  const ports = new Map<Protocol, number[]>();
  for (const { protocol, hostPort } of published.mappings)
    ports.set(protocol, [...(ports.get(protocol) ?? []), hostPort]);
  const target = portChain(published);
  const rules: Rule[] = [];
  for (const protocol of [...ports.keys()].sort()) {
    const all = ports.get(protocol) ?? [];
    for (let at = 0; at < all.length; at += MOST_PORTS)
      rules.push({
        protocol,
        comment: portComment(published),
        ports: all.slice(at, at + MOST_PORTS),
        verdict: "jump",
        target,
      });
  }
  return rules;
}

/** Whether a rule leads packets of the same ports to the same chain, perhaps only some of them. */
export const leadsAs = (found: FoundRule | undefined, { protocol, comment, ports, target }: Rule): boolean =>
  found?.part?.protocol === protocol &&
  found?.part?.comment === comment &&
  `${found?.part?.ports}` === `${ports}` &&
  found?.target === target;
