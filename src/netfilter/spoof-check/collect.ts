/** GC of spoof checks (G1). */
import { Connection, type Request } from "../../netlink/connection.ts";
import { decodeChain, deleteChain, getChain } from "../../netlink/nftables/chain.ts";
import { decodeRule, deleteRule, dumpRules, flushChain, type Rule } from "../../netlink/nftables/rule.ts";
import { commentOf } from "../../netlink/nftables/userdata.ts";
import { decodeLink, dumpLinks } from "../../netlink/rtnetlink/link.ts";
import { NetlinkSocket, protocol } from "../../netlink/socket.ts";
import { cString } from "../expressions.ts";
import { ask, dump } from "../kernel.ts";
import { PREROUTING, TABLE } from "./layout.ts";

/** The port that a rule of PREROUTING is about and the chain it leads to, if it belongs to a spoof check. */
function portOf({ expressions, userData }: Rule): { hostInterface: string; chain: string } | undefined {
  const name = expressions.find((expression) => expression.name === "cmp")?.value;
  const last = expressions.at(-1);
  const chain = last?.name === "immediate" && "chain" in last.data ? last.data.chain : undefined;
  const ours = commentOf(userData)?.startsWith("macspoofchk-") && chain?.startsWith("cni-br-iface-");
  return ours && name && chain ? { hostInterface: cString(name), chain } : undefined;
}

/** Names of the host's interfaces. */
function interfaces(): Set<string> {
  using rtnetlink = new Connection(new NetlinkSocket(protocol.route));
  return new Set(rtnetlink.dump(dumpLinks(), ({ payload }) => decodeLink(payload).name));
}

/** Requests that remove the checks of ports that do not exist any more. @throws NetlinkError */
export function staleChecks(connection: Connection): Request[] {
  const checks = dump(connection, dumpRules(PREROUTING), (message) => {
    const rule = decodeRule(message);
    const port = portOf(rule);
    return port && { ...port, handle: rule.handle };
  });
  // In this order: a port is always there before its check.
  const there = checks.length === 0 ? new Set<string>() : interfaces();
  const stale = checks.filter(({ hostInterface }) => !there.has(hostInterface));
  const living = checks.filter(({ hostInterface }) => there.has(hostInterface));
  const kept = new Set(living.map(({ chain }) => chain));
  const names = [...new Set(stale.map(({ chain }) => chain))].filter((chain) => !kept.has(chain));
  const chains = names.flatMap((chain) => [
    { ...TABLE, chain },
    { ...TABLE, chain: `${chain}-mac` },
  ]);
  const found = ask(connection, chains.map(getChain)).flatMap((replies) =>
    replies.map((reply) => decodeChain(reply)),
  );
  return [
    ...stale.map(({ handle }) => deleteRule({ ...PREROUTING, handle })),
    ...found.flatMap((chain) => [flushChain(chain), deleteChain(chain)]),
  ];
}
