/** What to change in the nat table (rule B28, G16). Pure: from the state to steps. */
import type { Family } from "../../net/ip.ts";
import { contains, networkOf, type Prefix } from "../../net/prefix.ts";
import {
  type AddressMatch,
  type AddressRule,
  exactly,
  iptablesText,
  MULTICAST,
  outside,
  within,
} from "../address-rule.ts";
import { iptablesChain, iptablesComment, type Owner } from "../owner.ts";
import type { ChainState, Step, StoredJump } from "./state.ts";

/** The rules that an attachment needs, in the order in which the first ADD writes them. */
export interface Layout {
  /** One for each subnet of its addresses: what stays inside is not masqueraded. */
  readonly accepts: readonly AddressRule[];
  readonly masquerade: AddressRule;
  /** One for each address: in POSTROUTING. */
  readonly jumps: readonly AddressRule[];
}

/** The rules for `addresses`, which are of one family and keep their host bits. */
export function layoutOf(owner: Owner, family: Family, addresses: readonly Prefix[]): Layout {
  const comment = iptablesComment(owner);
  const chain = iptablesChain(owner);
  const accepts = addresses.map((prefix): AddressRule => {
    return { destination: within(networkOf(prefix)), comment, action: "accept" };
  });
  return {
    accepts: unique(accepts),
    masquerade: { destination: outside(MULTICAST[family]), comment, action: "masquerade" },
    jumps: unique(
      addresses.map(({ address }) => ({ source: exactly(address), comment, action: { jump: chain } })),
    ),
  };
}

const unique = (rules: readonly AddressRule[]): readonly AddressRule[] =>
  rules.length < 2 ? rules : [...new Map(rules.map((rule) => [iptablesText(rule), rule])).values()];

const same = (a: AddressRule | undefined, b: AddressRule): boolean =>
  a !== undefined && iptablesText(a) === iptablesText(b);

/**
 * Steps that make the table hold the rules of `addresses`, and no others of this attachment. What is there already,
 * from an ADD that was killed or from another interface of the container, is kept.
 */
export function planSetUp(
  state: ChainState | undefined,
  owner: Owner,
  family: Family,
  addresses: readonly Prefix[],
): Step[] {
  const { accepts, masquerade, jumps } = layoutOf(owner, family, addresses);
  const addJump = (rule: AddressRule): Step => ({ kind: "add jump", rule, ifname: owner.ifname });
  if (state === undefined) {
    return [
      { kind: "add chain" },
      ...[...accepts, masquerade].map((rule): Step => ({ kind: "append", rule })),
      ...jumps.map(addJump),
    ];
  }
  const masqueradeAt = state.rules.findIndex(({ rule }) => same(rule, masquerade));
  // An "accept" behind the masquerading is never reached: it counts as missing.
  const effective = masqueradeAt < 0 ? state.rules : state.rules.slice(0, masqueradeAt);
  const missing = accepts.filter((accept) => !effective.some(({ rule }) => same(rule, accept)));
  const own = state.jumps.filter((jump) => jump.ifname === owner.ifname);
  // Of two equal rules one is enough; and one that names no interface gets its owner's name.
  const kept = jumps.flatMap((rule) => own.find((jump) => same(jump.rule, rule)) ?? []);
  const stale = state.jumps.filter(
    (jump) =>
      !kept.includes(jump) &&
      (jump.ifname === owner.ifname ||
        (jump.ifname === undefined && jumps.some((rule) => same(jump.rule, rule)))),
  );
  return [
    ...missing.map((rule): Step => ({ kind: "insert", rule })),
    ...(masqueradeAt < 0 ? [{ kind: "append", rule: masquerade } as const] : []),
    ...jumps.filter((rule) => !kept.some((jump) => same(jump.rule, rule))).map(addJump),
    ...stale.map((jump): Step => ({ kind: "delete jump", jump })),
  ];
}

/**
 * Steps that remove an attachment's rules, and the chain with its last user. Rules that name no interface (the
 * reference writes such) are taken for this attachment's when it has no others.
 */
export function planTearDown(state: ChainState | undefined, owner: Owner): Step[] {
  if (state === undefined) return [];
  const named = state.jumps.filter((jump) => jump.ifname === owner.ifname);
  return planRemoval(state, named.length > 0 ? named : state.jumps.filter(isAnonymous(owner)));
}

/** Whether a jump is by its comment one of the container's and says no interface. */
export const isAnonymous =
  (owner: Omit<Owner, "ifname">) =>
  (jump: StoredJump): boolean =>
    jump.ifname === undefined && jump.rule?.comment === iptablesComment(owner);

/** Steps that remove these jumps, and what nobody needs without them. */
export function planRemoval(state: ChainState, removed: readonly StoredJump[]): Step[] {
  const deletions = removed.map((jump): Step => ({ kind: "delete jump", jump }));
  const remaining = state.jumps.filter((jump) => !removed.includes(jump));
  if (remaining.length === 0) return [...deletions, { kind: "delete chain" }];
  const holds = (subnet: AddressMatch | undefined, jumps: readonly StoredJump[]): boolean =>
    jumps.some(({ rule }) => subnet && rule?.source && contains(subnet.prefix, rule.source.prefix.address));
  const idle = state.rules.filter(
    ({ rule }) =>
      rule?.action === "accept" && holds(rule.destination, removed) && !holds(rule.destination, remaining),
  );
  return [...deletions, ...idle.map((rule): Step => ({ kind: "delete rule", rule }))];
}
