/** Whether the firewall can work on this host (rule F31). It changes nothing. */
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { rehearse } from "../../netlink/nftables/batch.ts";
import { type Chain, decodeChain, dumpChains, hookNumber } from "../../netlink/nftables/chain.ts";
import type { Expression } from "../../netlink/nftables/expression.ts";
import { ctKey } from "../../netlink/nftables/expression.ts";
import { decodeRuleBody, dumpRules } from "../../netlink/nftables/rule.ts";
import { requestsFor } from "../iptables/nft-changes.ts";
import { isUnsupported, NO_NFTABLES, openNftables } from "../kernel.ts";
import { IPTABLES_FORWARD } from "../nftables/base-chains.ts";
import { type Backend, chosen, requireFirewalld } from "./backend.ts";
import { HostBridges } from "./bridges.ts";
import { placesFor, readLegacy } from "./filter-table.ts";
import type { Wanted } from "./layout.ts";
import { TABLE, tableRequests } from "./own-table.ts";
import { planSetUp } from "./plan.ts";
import { nftStates } from "./state.ts";

/** @throws CniError code 50 with the remedy, if the backend cannot work here or another program drops all packets */
export async function requireUsable(
  backend: Backend | undefined,
  zone: string,
  wanted: Wanted,
  log: (line: string) => void,
): Promise<void> {
  try {
    const { rules, isZoned } = await chosen(backend);
    using netfilter = openNftables();
    if (isZoned) await requireZone(zone);
    const families = [...new Set(wanted.addresses.map(({ address }) => address.family))];
    if (rules === "nftables") {
      if (netfilter === undefined) throw new Error(NO_NFTABLES);
      rehearse(netfilter, tableRequests([wanted.adminChain], true));
    } else for (const family of families) await requireIptables(netfilter, family, wanted);
    for (const problem of await foreignDrops(netfilter, families, rules, log)) throw new Error(problem);
  } catch (error) {
    throw new CniError(code.notAvailable, `no container can be added: ${toCniError(error).message}`);
  }
}

async function requireZone(zone: string): Promise<void> {
  using firewalld = await requireFirewalld();
  try {
    firewalld.hasSource(zone, "192.0.2.1/32");
  } catch (error) {
    throw toCniError(error).during(`firewalld cannot use zone ${JSON.stringify(zone)}`);
  }
}

/** Has the kernel check the transaction of an ADD, which it aborts. */
async function requireIptables(
  netfilter: Connection | undefined,
  family: Family,
  wanted: Wanted,
): Promise<void> {
  using bridges = new HostBridges();
  for (const { connection } of await placesFor(netfilter, family)) {
    if (connection === undefined) continue;
    const base = IPTABLES_FORWARD[family];
    const requests: Request[] = [];
    for (const state of nftStates(connection, [family], [wanted.adminChain]))
      for (const request of requestsFor(base, planSetUp(wanted, state, bridges), [base]))
        requests.push(request);
    try {
      rehearse(connection, requests);
    } catch (error) {
      if (isUnsupported(error))
        throw new Error(`this kernel has no nf_tables for IPv${family}, and there is no iptables-legacy`);
      throw toCniError(error);
    }
  }
}

/**
 * Base chains of other programs that drop forwarded packets: an accept of ours does not keep a packet there. A chain that
 * may accept new connections is only logged, since its rules may let containers through.
 */
async function foreignDrops(
  netfilter: Connection | undefined,
  families: readonly Family[],
  rules: "iptables" | "nftables",
  log: (line: string) => void,
): Promise<string[]> {
  const problems: string[] = [];
  const report = (chain: string, isCertain: boolean): void => {
    const text = `${chain} drops forwarded packets, which no rule of this plugin can change; accept the containers' traffic there, or change its policy`;
    if (isCertain) problems.push(text);
    else log(`${text}, unless its rules do so`);
  };
  for (const family of families) {
    if (netfilter === undefined || rules === "iptables") continue;
    if ((await readLegacy(family)).drops)
      report(`chain FORWARD of ${family === 4 ? "iptables" : "ip6tables"}-legacy`, false);
  }
  if (netfilter === undefined) return problems;
  const names = ["inet", ...families.map((family) => (family === 4 ? "ip" : "ip6"))] as const;
  for (const family of names as readonly ("inet" | "ip" | "ip6")[]) {
    for (const chain of forwardDrops(netfilter, family)) {
      const { table, chain: name } = chain;
      // There the rules of iptables accept packets.
      if (family !== "inet" && rules === "iptables" && table === "filter" && name === "FORWARD") continue;
      if (family === TABLE.family && table === TABLE.table) continue;
      report(`chain ${name} of table ${family} ${table}`, !mayAccept(netfilter, chain));
    }
  }
  return problems;
}

function forwardDrops(connection: Connection, family: "inet" | "ip" | "ip6"): Chain[] {
  try {
    return connection.dump(dumpChains(family), (message) => {
      const chain = decodeChain(message);
      const { base } = chain;
      const isDrop = base?.type === "filter" && base.hook === hookNumber.forward && base.policy === 0;
      return isDrop && chain.family === family ? chain : undefined;
    });
  } catch (error) {
    if (isUnsupported(error)) return [];
    throw error;
  }
}

/** Whether a rule of the chain may let a new connection pass: it accepts or leads on, and not for answers alone. */
const mayAccept = (connection: Connection, { family, table, chain }: Chain): boolean =>
  connection
    .dump(dumpRules({ family, table, chain }), (message) => decodeRuleBody(message).expressions)
    .some((expressions) => expressions.some(leadsOn) && !expressions.some(isOfAnswers));

function leadsOn(expression: Expression): boolean {
  if (expression.name === "lookup") return expression.target === 0;
  const verdict = expression.name === "immediate" ? expression.data.verdict : undefined;
  return verdict === "accept" || verdict === "jump" || verdict === "goto";
}

const isOfAnswers = (expression: Expression): boolean =>
  expression.name === "ct" && expression.key === ctKey.state;
