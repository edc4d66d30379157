/**
 * Sets up the check against spoofed MAC addresses (macspoofchk; rule B17): it drops frames from the container's port
 * that have another source than the container's address. One rule in PREROUTING leads the port's frames into a chain of
 * their own (docs/decisions/0012-spoof-check-layout.md). Layout and names are the reference's, so that each program can
 * remove the other's rules; the names differ only if the reference's are too long, or another attachment has them.
 */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import { type Mac, parseMac } from "../../net/mac.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { addChain } from "../../netlink/nftables/chain.ts";
import { addRule } from "../../netlink/nftables/rule.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import { comment } from "../../netlink/nftables/userdata.ts";
import { macChain, spoofCheckNames } from "../attachment-names.ts";
import { findChains, NO_NFTABLES, openNftables } from "../kernel.ts";
import { BRIDGE_PREROUTING, madeHere } from "../nftables/base-chains.ts";
import { encodeRule } from "../nftables/expressions.ts";
import { update } from "../nftables/update.ts";
import { findChecks, ownJumps, removal, rulesOf } from "./found-check.ts";

/** Drops frames that enter the bridge through `hostInterface` with another source than `mac`. @throws CniError */
export async function setUp(attachment: Attachment, hostInterface: string, mac: string): Promise<void> {
  const address = parseMac(mac);
  if (address === undefined) {
    throw new CniError(code.internal, `cannot check frames: ${JSON.stringify(mac)} is not a MAC address`);
  }
  using netfilter = openNftables();
  try {
    if (netfilter === undefined) throw new Error(NO_NFTABLES);
    update(netfilter, () => requestsFor(netfilter, attachment, hostInterface, address));
  } catch (error) {
    throw new CniError(
      code.internal,
      `failed to setup spoof-check of ${JSON.stringify(hostInterface)}: ${toCniError(error).message}; it needs nf_tables for bridges: ` +
        `load the kernel modules nf_tables and nft_meta_bridge, or leave out "macspoofchk"`,
    );
  }
}

function requestsFor(connection: Connection, attachment: Attachment, port: string, mac: Mac): Request[] {
  const { family, table } = BRIDGE_PREROUTING;
  const names = spoofCheckNames(attachment);
  const checks = findChecks(
    connection,
    names.map(({ chain }) => chain),
  );
  // The rules of a killed ADD are removed. No other attachment has the last names.
  const removals = checks.map((check, index) => {
    const mayTake = ({ name }: { name?: string | undefined }): boolean =>
      name === port || index === checks.length - 1;
    return removal(check, ownJumps(check.jumps, mayTake));
  });
  const free = names.find((_, index) => removals[index]?.isComplete);
  if (free === undefined) throw new Error("rules of another program lead into the attachment's chains");
  // An existing base chain is not changed: its policy may be intended.
  const hasBase = findChains(connection, [BRIDGE_PREROUTING])[0] !== undefined;
  const userData = [comment(free.comment)];
  return [
    ...removals.flatMap(({ requests }) => requests),
    addTable({ family, table, userData: [madeHere] }),
    ...(hasBase ? [] : [addChain(BRIDGE_PREROUTING)]),
    addChain({ family, table, chain: free.chain }),
    addChain({ family, table, chain: macChain(free.chain) }),
    ...rulesOf(free.chain, port, mac).map(([chain, rule]) =>
      addRule({ family, table, chain, userData, expressions: encodeRule(rule, family) }),
    ),
  ];
}
