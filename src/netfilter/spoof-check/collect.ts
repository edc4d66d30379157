/** GC of spoof checks (G1). */
import { Connection, type Request } from "../../netlink/connection.ts";
import { decodeRule, dumpRules, type Rule, type RuleHandle } from "../../netlink/nftables/rule.ts";
import { commentOf } from "../../netlink/nftables/userdata.ts";
import { decodeLink, dumpLinks } from "../../netlink/rtnetlink/link.ts";
import { NetlinkSocket, protocol } from "../../netlink/socket.ts";
import { dump } from "../kernel.ts";
import { find, removal } from "./find.ts";
import { PREROUTING, portOf } from "./layout.ts";

/** The chain that a rule of PREROUTING leads to, if it belongs to a spoof check. */
function chainOf({ expressions, userData }: Rule): string | undefined {
  const last = expressions.at(-1);
  const chain = last?.name === "immediate" && "chain" in last.data ? last.data.chain : undefined;
  const ours = commentOf(userData)?.startsWith("macspoofchk-") && chain?.startsWith("cni-br-iface-");
  return ours ? chain : undefined;
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
    const [port, chain] = [portOf(rule), chainOf(rule)];
    return port === undefined || chain === undefined
      ? undefined
      : { port, chain, jump: { ...PREROUTING, handle: rule.handle } };
  });
  // In this order: a port is always there before its check.
  const there = checks.length === 0 ? new Set<string>() : interfaces();
  const stale = new Map<string, RuleHandle[]>();
  for (const { port, chain, jump } of checks) {
    if (there.has(port)) continue;
    const jumps = stale.get(chain);
    if (jumps === undefined) stale.set(chain, [jump]);
    else jumps.push(jump);
  }
  const names = [...stale.keys()].map((chain) => ({ chain }));
  return find(connection, names).flatMap((check) => {
    return removal(check, stale.get(check.names.chain) ?? []).requests;
  });
}
