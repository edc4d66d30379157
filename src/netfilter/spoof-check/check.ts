/** Checks whether the spoof check of an attachment is complete (G17). */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code } from "../../cni/error.ts";
import { parseMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { macChain, spoofCheckNames } from "../attachment-names.ts";
import { findChains, NO_NFTABLES, openNftables } from "../kernel.ts";
import { BRIDGE_PREROUTING, isHooked } from "../nftables/base-chains.ts";
import { isSame } from "../rule.ts";
import { findChecks, rulesOf } from "./found-check.ts";

/** @throws CniError that names what is missing or altered */
export async function check(attachment: Attachment, hostInterface: string, mac: string): Promise<void> {
  using netfilter = openNftables();
  const missing = netfilter ? missingOf(netfilter, attachment, hostInterface, mac) : [NO_NFTABLES];
  if (missing.length === 0) return;
  const { containerId, ifname } = attachment;
  throw new CniError(
    code.internal,
    `the spoof check of ${JSON.stringify(hostInterface)} for container ${JSON.stringify(containerId)} interface ` +
      `${JSON.stringify(ifname)} is missing or altered: ${missing.join("; ")}. Another program flushed or changed it, as a ` +
      `firewall's reload does; DEL and ADD the attachment`,
  );
}

function missingOf(connection: Connection, attachment: Attachment, input: string, mac: string): string[] {
  const names = spoofCheckNames(attachment).map(({ chain }) => chain);
  const checks = findChecks(connection, names);
  // The check under the first names may be for another attachment's port.
  const found = checks.find(({ jumps }) => jumps.some((jump) => jump.input === input)) ?? checks[0];
  if (found === undefined) return [];
  const { chain, port, macs, rules, jumps } = found;
  const base = BRIDGE_PREROUTING;
  const table = `table ${base.family} ${base.table}`;
  const missing: string[] = [];
  if (port === undefined) missing.push(`${table} has no chain ${chain}`);
  if (macs === undefined) missing.push(`${table} has no chain ${macChain(chain)}`);
  if (missing.length > 0) return missing;
  if (!isHooked(findChains(connection, [base])[0], base)) {
    missing.push(
      `chain ${base.chain} of ${table} is missing, or is not a filter chain of the prerouting hook`,
    );
  }
  const wanted = rulesOf(chain, input, parseMac(mac) ?? new Uint8Array());
  for (const where of [base.chain, chain, macChain(chain)]) {
    const there = (where === base.chain ? jumps : rules).filter(
      (rule) => rule.chain === where && rule.watches !== true,
    );
    const own = wanted.filter(([name]) => name === where).map(([, rule]) => rule);
    if (where !== base.chain) {
      const isWhole =
        there.length === own.length && own.every((rule, index) => isSame(there[index]?.rule, rule));
      if (!isWhole)
        missing.push(`chain ${where} of ${table} has other rules than those that let only ${mac} pass`);
    } else if (!own.every((rule) => there.some((each) => isSame(each.rule, rule)))) {
      missing.push(
        `chain ${where} of ${table} has no rule that leads frames of ${JSON.stringify(input)} to chain ${chain}`,
      );
    }
  }
  return missing;
}
