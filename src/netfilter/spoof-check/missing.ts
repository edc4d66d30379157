/** CHECK of a spoof check (G17): what is missing of it, or altered, in sentences. */
import type { Attachment } from "../../cni/attachment.ts";
import { parseMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { macChain, spoofCheckNames } from "../attachment-names.ts";
import { BRIDGE_PREROUTING, isHooked } from "../nftables/base-chains.ts";
import { findChains } from "../nftables/kernel.ts";
import { isSame } from "../rule.ts";
import { findChecks, rulesOf } from "./found-check.ts";

const WHERE = `table ${BRIDGE_PREROUTING.family} ${BRIDGE_PREROUTING.table}`;

/** @throws NetlinkError */
export function missingOfCheck(
  connection: Connection,
  attachment: Attachment,
  hostInterface: string,
  mac: string,
): string[] {
  const names = spoofCheckNames(attachment).map(({ chain }) => chain);
  const checks = findChecks(connection, names);
  // What is under the first names may be about another attachment's port.
  const check = checks.find(({ jumps }) => jumps.some(({ input }) => input === hostInterface)) ?? checks[0];
  if (check === undefined) return [];
  const { chain, port, macs, rules, jumps } = check;
  const missing: string[] = [];
  if (port === undefined) missing.push(`${WHERE} has no chain ${chain}`);
  if (macs === undefined) missing.push(`${WHERE} has no chain ${macChain(chain)}`);
  if (missing.length > 0) return missing;
  const base = BRIDGE_PREROUTING;
  if (!isHooked(findChains(connection, [base])[0], base)) {
    missing.push(`chain ${base.chain} of ${WHERE} is missing, or not a filter chain of the prerouting hook`);
  }
  const [jump, ...inside] = rulesOf(chain, hostInterface, parseMac(mac) ?? new Uint8Array());
  if (jump !== undefined && !jumps.some(({ rule }) => isSame(rule, jump.rule))) {
    missing.push(
      `chain ${base.chain} of ${WHERE} has no rule that leads frames of ${JSON.stringify(hostInterface)} to chain ${chain}`,
    );
  }
  for (const name of [chain, macChain(chain)]) {
    const wanted = inside.filter((each) => each.chain === name);
    const found = rules.filter((rule) => rule.chain === name && rule.watches !== true);
    const isWhole =
      found.length === wanted.length && wanted.every((each, index) => isSame(found[index]?.rule, each.rule));
    if (!isWhole)
      missing.push(`chain ${name} of ${WHERE} has other rules than those that let only ${mac} pass`);
  }
  return missing;
}
