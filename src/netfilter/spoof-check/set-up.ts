/** ADD of a spoof check (B17, K3). */
import type { Attachment } from "../../cni/attachment.ts";
import type { Mac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { update } from "../../netlink/nftables/batch.ts";
import { addChain } from "../../netlink/nftables/chain.ts";
import { addRule } from "../../netlink/nftables/rule.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import { comment } from "../../netlink/nftables/userdata.ts";
import { spoofCheckNames } from "../attachment-names.ts";
import { BRIDGE_PREROUTING, madeHere } from "../nftables/base-chains.ts";
import { encodeRule } from "../nftables/expressions.ts";
import { findChains } from "../nftables/kernel.ts";
import { chainsOf, findChecks, ownJumps, removal, rulesOf } from "./found-check.ts";

/** @throws NetlinkError; Error when a rule of another program leads into the chains */
export function addCheck(connection: Connection, attachment: Attachment, port: string, mac: Mac): void {
  const { family, table } = BRIDGE_PREROUTING;
  const names = spoofCheckNames(attachment);
  update(connection, () => {
    const checks = findChecks(
      connection,
      names.map(({ chain }) => chain),
    );
    // What an ADD left that was killed before it could report it. The last names are the attachment's alone.
    const removals = checks.map((check, index) =>
      removal(
        check,
        ownJumps(check.jumps, ({ name }) => name === port || index === checks.length - 1),
      ),
    );
    const free = names.find((_, index) => removals[index]?.isComplete);
    if (free === undefined) throw new Error("rules of another program lead into the attachment's chains");
    // A base chain that is there is left as it is: its policy may be a choice.
    const hasBase = findChains(connection, [BRIDGE_PREROUTING])[0] !== undefined;
    return [
      ...removals.flatMap(({ requests }) => requests),
      addTable({ family, table, userData: [madeHere] }),
      ...(hasBase ? [] : [addChain(BRIDGE_PREROUTING)]),
      ...chainsOf(free.chain).map((chain) => addChain(chain)),
      ...rulesOf(free.chain, port, mac).map(({ chain, rule }) =>
        addRule({
          family,
          table,
          chain,
          userData: [comment(free.comment)],
          expressions: encodeRule(rule, family),
        }),
      ),
    ];
  });
}
