import { formatIp, ipToBytes } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { attachmentMark } from "../attachment-names.ts";
import { isHooked } from "../nftables/base-chains.ts";
import { having } from "../nftables/found-rules.ts";
import { stricter, type Wanted } from "./layout.ts";
import { hasPolicy } from "./nftables.ts";
import { ADDRESSES, ENTRY, entryRules, ISOLATION, ISOLATION_RULES, PUBLISHED, TABLE } from "./own-table.ts";
import { areRules, publishedAmong, readState, recordedIn, rulesOf } from "./table-state.ts";

/** What of an attachment's part of the table is missing, as ends of sentences. */
export function missingNftables(connection: Connection, wanted: Wanted): string[] {
  const { attachment, addresses, adminChain, acceptPublished, ingress } = wanted;
  const state = readState(connection);
  const table = `table ${TABLE.family} ${TABLE.table}`;
  if (state.entry === undefined && state.isolation === undefined) return [`there is no ${table}`];
  const missing: string[] = [];
  if (!isHooked(state.entry, ENTRY))
    missing.push(`chain ${ENTRY.chain} of ${table} is missing, or is not a filter chain of the forward hook`);
  if (!areRules(rulesOf(connection, ISOLATION.chain), ISOLATION_RULES))
    missing.push(`chain ${ISOLATION.chain} of ${table} has other rules than those that isolate bridges`);
  const { adminChains, rules } = state;
  const isComplete = [true, false].some((accepts) => areRules(rules, entryRules(adminChains, accepts)));
  if (!isComplete || !adminChains.includes(adminChain))
    missing.push(`chain ${ENTRY.chain} of ${table} has other rules than ADD writes`);
  const mark = attachmentMark(attachment);
  const own = addresses.map(({ address }) => address);
  const recorded = recordedIn(connection, having(own.map(ipToBytes)));
  const published = publishedAmong(connection, own);
  for (const { address } of addresses) {
    const text = formatIp(address);
    const found = recorded.find((each) => formatIp(each.address) === text);
    const { set } = ADDRESSES[address.family];
    if (found === undefined) missing.push(`set ${set} of ${table} lacks ${text}`);
    else if (found.mark !== mark) missing.push(`${text} in set ${set} of ${table} is another attachment's`);
    if (acceptPublished && !published.has(text))
      missing.push(`set ${PUBLISHED[address.family].set} of ${table} lacks ${text}`);
  }
  if (ingress === undefined || ingress.policy === "open") return missing;
  const present = state.policies.get(ingress.bridge) ?? "open";
  const isWhole = hasPolicy(state, { bridge: ingress.bridge, policy: present });
  if (stricter(present, ingress.policy) !== present || !isWhole)
    missing.push(
      `${table} does not make bridge ${JSON.stringify(ingress.bridge)} ${JSON.stringify(ingress.policy)}`,
    );
  return missing;
}
