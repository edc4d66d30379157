import { attachmentMark } from "../attachment-names.ts";
import { isSame, type Rule, ruleText } from "../rule.ts";
import {
  addressRules,
  adminJump,
  CNI_FORWARD,
  FORWARD,
  FORWARD_JUMP,
  ingressRules,
  STAGE_1,
  STAGE_JUMP,
  stricter,
  type Wanted,
} from "./layout.ts";
import { presentPolicy } from "./plan.ts";
import { type FilterState, rulesOf } from "./state.ts";

/** For errors: what of an attachment's rules is missing, as ends of sentences; `table` is "the filter table of …". */
export function missingIn(wanted: Wanted, state: FilterState, table: string): string[] {
  const { adminChain, acceptPublished, attachment, ingress } = wanted;
  const missing: string[] = [];
  const lacks = (chain: string, text: string): void => {
    missing.push(`chain ${chain} of ${table} ${text}`);
  };
  const has = (chain: string, rule: Rule): boolean =>
    rulesOf(state, chain).some((found) => isSame(found.rule, rule));
  const need = (chain: string, rule: Rule): void => {
    if (!has(chain, rule)) lacks(chain, `lacks the rule "-A ${chain} ${ruleText(rule)}"`);
  };
  if (!state.isHooked) lacks(FORWARD, "is missing, or is not a filter chain of the forward hook");
  for (const chain of [CNI_FORWARD, adminChain])
    if (!state.chains.has(chain)) missing.push(`${table} has no chain ${chain}`);
  need(FORWARD, FORWARD_JUMP);
  need(CNI_FORWARD, adminJump(adminChain));
  const mark = attachmentMark(attachment);
  const isOurs = rulesOf(state, CNI_FORWARD).some((found) => found.mark === mark);
  for (const { address } of wanted.addresses) {
    if (address.family !== state.family) continue;
    const { answer, published, source } = addressRules(address);
    need(CNI_FORWARD, answer);
    // The reference does not write it.
    if (acceptPublished && isOurs) need(CNI_FORWARD, published);
    need(CNI_FORWARD, source);
  }
  if (ingress === undefined || ingress.policy === "open") return missing;
  need(FORWARD, STAGE_JUMP);
  const order = rulesOf(state, FORWARD).map(({ target }) => target);
  const [stage, forward] = [order.indexOf(STAGE_1), order.indexOf(CNI_FORWARD)];
  if (stage > forward && forward >= 0)
    lacks(FORWARD, `has the rule that leads to ${STAGE_1} behind the one that leads to ${CNI_FORWARD}`);
  // Another network on the bridge may want a stricter policy.
  const policy = stricter(ingress.policy, presentPolicy(state, ingress.bridge));
  for (const { chain, rule } of ingressRules({ ...ingress, policy })) need(chain, rule);
  return missing;
}
