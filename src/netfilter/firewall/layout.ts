/**
 * The rules of the firewall plugin in the filter table of iptables (rules F7, F8, F20, F32). Chains, comments and order are
 * those of the reference, so that each program finds and removes the other's rules.
 */
import type { Attachment } from "../../cni/attachment.ts";
import type { IpAddress } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import { text, type UserDatum } from "../../netlink/nftables/userdata.ts";
import { datumType } from "../nftables/base-chains.ts";
import { connectionState, exactly, type FoundRule, type Rule } from "../rule.ts";

/** What may connect to the containers of a bridge, from the weakest to the strictest (F3). */
export const POLICIES = ["open", "same-bridge", "isolated"] as const;
export type IngressPolicy = (typeof POLICIES)[number];

/** The bridge that an ingress policy is about. */
export interface Ingress {
  readonly policy: IngressPolicy;
  readonly bridge: string;
  /** The bridge's port that this attachment's ADD has isolated from the other ports (F39). */
  readonly isolatedPort?: string | undefined;
}

/** What an ADD wants. */
export interface Wanted {
  readonly attachment: Attachment;
  /** All addresses of the container's interface. */
  readonly addresses: readonly Prefix[];
  /** The chain of the administrator's rules. */
  readonly adminChain: string;
  /** Whether connections to published ports are accepted (F32). */
  readonly acceptPublished: boolean;
  /** Undefined if the attachment is not on a bridge: then no policy but "open" is possible. */
  readonly ingress: Ingress | undefined;
}

/** The built-in chain of forwarded packets. */
export const FORWARD = "FORWARD";
/** The rules of all containers. */
export const CNI_FORWARD = "CNI-FORWARD";
/** What comes from a bridge with a policy. */
export const STAGE_1 = "CNI-ISOLATION-STAGE-1";
/** What comes from such a bridge and leads to another interface. */
export const STAGE_2 = "CNI-ISOLATION-STAGE-2";

const POLICY_COMMENT = "CNI firewall plugin rules (ingressPolicy: ";
const ANY_POLICY = `${POLICY_COMMENT}same-bridge|isolated)`;

/** Leads forwarded packets to the containers' rules. */
export const FORWARD_JUMP = {
  comment: "CNI firewall plugin rules",
  verdict: "jump",
  target: CNI_FORWARD,
} as const satisfies Rule;

/** The comment of the rules that lead to administrators' chains. */
export const ADMIN_COMMENT = "CNI firewall plugin admin overrides";

/** Leads to the administrator's rules, which come before those of containers. */
export const adminJump = (target: string): Rule => ({ comment: ADMIN_COMMENT, verdict: "jump", target });

/** Leads forwarded packets to the isolation of bridges. */
export const STAGE_JUMP = { comment: ANY_POLICY, verdict: "jump", target: STAGE_1 } as const satisfies Rule;

/** The last rule of both stages. */
export const STAGE_END = { comment: ANY_POLICY, verdict: "return" } as const satisfies Rule;

/** An address's rules: answers, connections to published ports, and everything from the container. */
export const addressRules = (
  address: IpAddress,
): { readonly answer: Rule; readonly published: Rule; readonly source: Rule } => ({
  answer: { destination: exactly(address), states: connectionState.answer, verdict: "accept" },
  published: { destination: exactly(address), states: connectionState.dnat, verdict: "accept" },
  source: { source: exactly(address), verdict: "accept" },
});

/** A bridge's rules for a policy, in the order in which each is inserted in front. */
export function ingressRules({ policy, bridge }: Ingress): { readonly chain: string; readonly rule: Rule }[] {
  if (policy === "open") return [];
  const comment = `${POLICY_COMMENT}${policy})`;
  const input = bridge;
  const output = { name: bridge, inverted: false };
  const elsewhere = { name: bridge, inverted: true };
  const away: Rule = { input, output: elsewhere, comment, verdict: "jump", target: STAGE_2 };
  const within: Rule = { input, output, comment, verdict: "drop" };
  const rules = [{ chain: STAGE_1, rule: away }];
  if (policy === "isolated") rules.push({ chain: STAGE_1, rule: within });
  return [...rules, { chain: STAGE_2, rule: { output, comment: ANY_POLICY, verdict: "drop" } }];
}

/** The bridge that a rule of a stage is about; undefined for the last rule and for rules of other programs. */
export function bridgeOf({ chain, rule }: FoundRule): string | undefined {
  if (rule?.comment?.startsWith(POLICY_COMMENT) !== true) return undefined;
  return chain === STAGE_1 ? rule.input : rule.output?.name;
}

/** The address of an address's rule; undefined for any other rule of CNI-FORWARD. */
export function addressOf({ rule }: FoundRule): IpAddress | undefined {
  if (rule === undefined || rule.verdict !== "accept") return undefined;
  const { prefix, inverted = false } = rule.source ?? rule.destination ?? {};
  const isWhole = prefix?.length === (prefix?.address.family === 4 ? 32 : 128);
  return prefix !== undefined && isWhole && !inverted ? prefix.address : undefined;
}

/** The stricter of two policies. */
export const stricter = (a: IngressPolicy, b: IngressPolicy): IngressPolicy =>
  POLICIES.indexOf(a) > POLICIES.indexOf(b) ? a : b;

/** The weaker of two policies. */
export const weaker = (a: IngressPolicy, b: IngressPolicy): IngressPolicy => (stricter(a, b) === a ? b : a);

/** Begins the record of an attachment's bridge, so that it is found in a rule's bytes. */
export const RECORD = "cni-ingress ";

/** The user data by which the last attachment of a bridge is recognized (F33). No interface's name contains a space. */
export const ingressDatum = ({ policy, bridge, isolatedPort = "" }: Ingress): UserDatum =>
  text(datumType.ingress, `${RECORD}${policy} ${bridge} ${isolatedPort}`);

/** Reads what `ingressDatum` wrote; undefined for anything else. */
export function parseRecord(record: string | undefined): Ingress | undefined {
  const [begin, policy, bridge, port] = record?.split(" ") ?? [];
  const known = POLICIES.find((each) => each === policy);
  if (`${begin} ` !== RECORD || known === undefined || !bridge) return undefined;
  return { policy: known, bridge, isolatedPort: port === "" ? undefined : port };
}
