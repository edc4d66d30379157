/** CHECK of a spoof check (G17). */
import type { Attachment } from "../../cni/attachment.ts";
import { parseMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeChain, getChain } from "../../netlink/nftables/chain.ts";
import type { Rule } from "../../netlink/nftables/rule.ts";
import { ask } from "../kernel.ts";
import { type FoundCheck, find, namesOf } from "./find.ts";
import { chainsOf, layoutOf, PREROUTING, portOf, TABLE } from "./layout.ts";

/** What is lost or altered of an attachment's check, in sentences. @throws NetlinkError */
export function spoofCheckDamage(
  connection: Connection,
  attachment: Attachment,
  hostInterface: string,
  mac: string,
): string[] {
  const checks = find(connection, namesOf(attachment));
  // What is under the first names may be about another attachment's port.
  const isOwn = ({ jumps }: FoundCheck): boolean => jumps.some((rule) => portOf(rule) === hostInterface);
  const check = checks.find(isOwn) ?? checks[0];
  if (check === undefined) return [];
  const { port, macs, rules, jumps } = check;
  const where = `table ${TABLE.family} ${TABLE.table}`;
  const names = chainsOf(check.names.chain).map(({ chain }) => chain);
  const missing = [port, macs].flatMap((chain, index) =>
    chain === undefined ? [`${where} has no chain ${names[index]}`] : [],
  );
  if (missing.length > 0) return missing;
  const [base] = ask(connection, [getChain(PREROUTING)]).flatMap((replies) =>
    replies.map((reply) => decodeChain(reply)),
  );
  const hooked = base?.base?.hook === PREROUTING.base?.hook && base?.base?.type === PREROUTING.base?.type;
  const expected = layoutOf(check.names, hostInterface, parseMac(mac) ?? new Uint8Array());
  const differs = [PREROUTING.chain, ...names].filter((chain) => {
    const wanted = expected.filter((rule) => rule.chain === chain).map(essence);
    const found = [...jumps, ...rules].filter((rule) => rule.chain === chain && decides(rule)).map(essence);
    return !(chain === PREROUTING.chain
      ? wanted.every((rule) => found.includes(rule))
      : `${wanted}` === `${found}`);
  });
  return [
    ...(hooked
      ? []
      : [`chain ${PREROUTING.chain} of ${where} is missing, or no filter chain of the prerouting hook`]),
    ...differs.map((chain) =>
      chain === PREROUTING.chain
        ? `chain ${chain} of ${where} has no rule that leads frames of ${JSON.stringify(hostInterface)} to chain ${names[0]}`
        : `chain ${chain} of ${where} has other rules than those that let only ${mac} pass`,
    ),
  ];
}

/** Whether a rule may decide over a frame. One that ends with a counter or a log only watches: a verdict comes last. */
function decides({ expressions }: Rule): boolean {
  const last = expressions.at(-1);
  const watches = last?.name === "counter" || (last?.name === "unknown" && last.kind === "log");
  return !watches;
}

/** What a rule does as a text, without counters that someone may have added. Equal rules have equal texts. */
const essence = ({ expressions }: Rule): string =>
  JSON.stringify(
    expressions.filter(({ name }) => name !== "counter"),
    (_, value: unknown) =>
      value instanceof Uint8Array
        ? value.toHex()
        : value?.constructor === Object
          ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
          : value,
  );
