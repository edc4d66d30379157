/** The rules of published ports in tables of nftables (rules M15, M16, M51, M52). */
import type { Family, IpAddress } from "../../net/ip.ts";
import { networkOf } from "../../net/prefix.ts";
import type { HOSTPORTS, OwnChain } from "../nftables/base-chains.ts";
import { connectionState, exactly, type Rule } from "../rule.ts";
import { destinationOf, LOCALHOST, type Mapping, type Published } from "./published.ts";

/** The chains of a family. */
export type Chains = (typeof HOSTPORTS)[Family];

/** M15: the rules that lead packets for the host's addresses to the mappings. */
export const entryRules = ({ ports, hostIpPorts, all, prerouting, output }: Chains) =>
  [
    [
      all,
      [
        { verdict: "jump", target: hostIpPorts.chain },
        { verdict: "jump", target: ports.chain },
      ],
    ],
    [prerouting, [{ isLocal: true, verdict: "jump", target: all.chain }]],
    [output, [{ isLocal: true, verdict: "jump", target: all.chain }]],
  ] as const satisfies readonly (readonly [OwnChain, readonly Rule[]])[];

/** M16: the rule of a mapping. */
export const mappingRule = (mapping: Mapping, address: IpAddress): Rule => ({
  ...destinationOf(mapping),
  protocol: mapping.protocol,
  port: mapping.hostPort,
  verdict: "dnat",
  to: { address, port: mapping.containerPort },
});

/**
 * M16, M51, M52: what is masqueraded of the connections that a mapping has translated: those from the container's subnet,
 * since the answer would not pass the host otherwise, or all. The host's own come from 127.0.0.1, to which no one could
 * answer.
 */
export function masqueradeRules({ addresses, snat, masqAll }: Published, family: Family): Rule[] {
  const prefix = addresses[family];
  if (prefix === undefined || !snat) return [];
  const destination = exactly(prefix.address);
  const source = { prefix: networkOf(prefix), inverted: false };
  const translated = { destination, states: connectionState.dnat, verdict: "masquerade" } as const;
  const rules: Rule[] = [masqAll ? translated : { source, ...translated }];
  if (family === 4) rules.push({ source: exactly(LOCALHOST), destination, verdict: "masquerade" });
  return rules;
}
