/**
 * Anti-spoofing of MAC addresses (macspoofchk; rules B17, G5, G17): frames that enter the bridge through a port with
 * another source than the container's are dropped. Layout and names are the reference's (but where its names are too
 * long, or another attachment has them), so that each program can remove what the other has added: one rule in
 * PREROUTING leads the port's frames into a chain of their own (docs/decisions/0012-spoof-check-layout.md).
 */
import type { Attachment } from "../cni/attachment.ts";
import { CniError, code, toCniError } from "../cni/error.ts";
import { parseMac } from "../net/mac.ts";
import type { Connection, Request } from "../netlink/connection.ts";
import { update } from "../netlink/nftables/batch.ts";
import { addChain, getChain } from "../netlink/nftables/chain.ts";
import { addRule } from "../netlink/nftables/rule.ts";
import { addTable } from "../netlink/nftables/table.ts";
import type { Link } from "../netlink/rtnetlink/link.ts";
import { ask, ifNftables, isUnsupported, openNftables } from "./kernel.ts";
import { deleteEmpty, madeHere } from "./skeleton.ts";
import { type FoundCheck, find, isHeld, namesOf, ownJumps, removal } from "./spoof-check/find.ts";
import { chainsOf, layoutOf, PREROUTING, TABLE } from "./spoof-check/layout.ts";

/** Drops frames that enter the bridge through `hostInterface` with another source than `mac`. @throws CniError */
export async function setUpSpoofCheck(
  attachment: Attachment,
  hostInterface: string,
  mac: string,
): Promise<void> {
  const address = parseMac(mac);
  if (address === undefined) {
    throw new CniError(code.internal, `cannot check MAC addresses: ${JSON.stringify(mac)} is none`);
  }
  using netfilter = openNftables();
  try {
    if (netfilter === undefined) throw new Error("this kernel has no nf_tables");
    update(netfilter, () => {
      const checks = find(netfilter, namesOf(attachment));
      // What an ADD left that was killed before it could report it. The last names are the attachment's alone.
      const removals = checks.map((check, index) => {
        const mayTake = (port: Link): boolean => port.name === hostInterface || index === checks.length - 1;
        return removal(check, ownJumps(check.jumps, mayTake));
      });
      const free = checks.find((_, index) => removals[index]?.isComplete);
      if (free === undefined) throw new Error("rules of another program lead into the attachment's chains");
      return [
        ...removals.flatMap(({ requests }) => requests),
        addTable({ ...TABLE, userData: [madeHere] }),
        // One that is there is left as it is: its policy may be someone's choice.
        ...(ask(netfilter, [getChain(PREROUTING)]).flat().length === 0 ? [addChain(PREROUTING)] : []),
        ...chainsOf(free.names.chain).map((chain) => addChain(chain)),
        ...layoutOf(free.names, hostInterface, address).map((rule) => addRule(rule)),
      ];
    });
  } catch (error) {
    throw new CniError(
      code.internal,
      `failed to setup spoof-check of ${JSON.stringify(hostInterface)}: ${toCniError(error).message}; it needs nf_tables for bridges: ` +
        `load the kernel modules nf_tables and nft_meta_bridge, or leave out "macspoofchk"`,
    );
  }
}

/** For the removal of a check. */
export interface TearDownOptions {
  /** Whether a port that still exists, with a check under the attachment's names, is the attachment's own. */
  readonly mayTake?: (port: Link) => boolean;
  /** Of `openNftables`, for a caller that has more to do before it closes it. */
  readonly connection?: Connection | undefined;
}

/**
 * Removes an attachment's check (G5). Nothing there is success. Several attachments may have the same names (K3): for
 * certain the attachment's is only what is about a port that is gone. So this is called when its interface is gone.
 * @throws CniError
 */
export async function tearDownSpoofCheck(
  attachment: Attachment,
  { mayTake = () => false, connection }: TearDownOptions = {},
): Promise<void> {
  using own = connection === undefined ? openNftables() : undefined;
  const netfilter = own ?? ifNftables(connection);
  if (netfilter === undefined) return;
  try {
    let held: FoundCheck | undefined;
    remove(netfilter, () => {
      const checks = find(netfilter, namesOf(attachment));
      held = checks.find(isHeld);
      return checks.flatMap((check) => removal(check, ownJumps(check.jumps, mayTake)).requests);
    });
    if (held !== undefined) {
      throw new Error(
        `chain ${held.names.chain} is busy: a rule of another program leads there; remove that rule`,
      );
    }
  } catch (error) {
    if (isUnsupported(error)) return;
    throw new CniError(code.internal, `failed to teardown spoof-check: ${toCniError(error).message}`);
  }
}

/** Deletes rules and chains, and after the last check the table, if it was we who made it. */
function remove(connection: Connection, find: () => readonly Request[]): void {
  let found: readonly Request[] = [];
  update(connection, () => {
    found = find();
    return found;
  });
  if (found.length > 0) deleteEmpty(connection, PREROUTING);
}

/** @throws CniError naming what is lost or altered (G17) */
export async function checkSpoofCheck(
  attachment: Attachment,
  hostInterface: string,
  mac: string,
): Promise<void> {
  using netfilter = openNftables();
  const { spoofCheckDamage } = await import("./spoof-check/damage.ts");
  const damage =
    netfilter === undefined
      ? ["this kernel has no nf_tables"]
      : spoofCheckDamage(netfilter, attachment, hostInterface, mac);
  if (damage.length === 0) return;
  throw new CniError(
    code.internal,
    `the spoof check of ${JSON.stringify(hostInterface)} for container ${JSON.stringify(attachment.containerId)} interface ` +
      `${JSON.stringify(attachment.ifname)} is lost or altered: ${damage.join("; ")}. Something flushed or changed it, as a ` +
      `firewall's reload does; DEL and ADD the attachment`,
  );
}

/**
 * Removes the checks of bridge ports that do not exist any more. Chain names carry no network, so that "its port is
 * gone" is all that GC of one network may conclude from: the check of a living port stays, whatever its network.
 * @throws CniError
 */
export async function collectSpoofChecks(): Promise<void> {
  using netfilter = openNftables();
  if (netfilter === undefined) return;
  const { staleChecks } = await import("./spoof-check/collect.ts");
  try {
    remove(netfilter, () => staleChecks(netfilter));
  } catch (error) {
    if (isUnsupported(error)) return;
    throw new CniError(code.internal, `failed to collect spoof checks: ${toCniError(error).message}`);
  }
}
