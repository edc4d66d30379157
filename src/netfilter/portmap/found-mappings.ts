/** Finds the wanted rules among many that were found, without comparing each with each. */
import type { NftRule } from "../nftables/found-rules.ts";
import { type FoundRule, formatEndpoint, isSame, type Rule, ruleText } from "../rule.ts";

/** The texts of rules, by which a wanted one is found among many. */
export const textsOf = (rules: readonly FoundRule[]): ReadonlySet<string> =>
  new Set(rules.flatMap(({ rule }) => (rule === undefined ? [] : ruleText(rule))));

/** The key of a rule or a mapping in `byPort`. */
export const portText = (protocol: string | undefined, port: number | undefined): string =>
  `${protocol} ${port}`;

/** Rules by each port of which they take packets, in their order. */
export function byPort(rules: readonly NftRule[]): ReadonlyMap<string, readonly NftRule[]> {
  const found = new Map<string, NftRule[]>();
  for (const rule of rules)
    for (const port of rule.part?.ports ?? [rule.part?.port]) {
      const text = portText(rule.part?.protocol, port);
      const same = found.get(text);
      if (same === undefined) found.set(text, [rule]);
      else same.push(rule);
    }
  return found;
}

/** Whether a rule is that of a mapping. With conditions, it has more than the wanted one. */
export const isMapping = ({ rule, part }: NftRule, wanted: Rule, hasConditions: boolean): boolean =>
  isSame(rule, wanted) ||
  (hasConditions &&
    part?.protocol === wanted.protocol &&
    part?.port === wanted.port &&
    part?.to !== undefined &&
    wanted.to !== undefined &&
    formatEndpoint(part.to) === formatEndpoint(wanted.to));
