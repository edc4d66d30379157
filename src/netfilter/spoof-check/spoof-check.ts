/**
 * Anti-spoofing of MAC addresses (macspoofchk; rules B17, G5, G17): frames that enter the bridge through a port with
 * another source than the container's are dropped. Layout and names are the reference's (but where its names are too
 * long, or another attachment has them), so that each program can remove what the other has added: one rule in
 * PREROUTING leads the port's frames into a chain of their own (docs/decisions/0012-spoof-check-layout.md).
 */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import { parseMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Link } from "../../netlink/rtnetlink/link.ts";
import { macChain, spoofCheckNames } from "../attachment-names.ts";
import { BRIDGE_PREROUTING } from "../nftables/base-chains.ts";
import { findChains, isUnsupported, openNftables } from "../nftables/kernel.ts";
import type { FoundCheck } from "./found-check.ts";

const NO_NFTABLES = "this kernel has no nf_tables";

/** Drops frames that enter the bridge through `hostInterface` with another source than `mac`. @throws CniError */
export async function setUp(attachment: Attachment, hostInterface: string, mac: string): Promise<void> {
  const address = parseMac(mac);
  if (address === undefined) {
    throw new CniError(code.internal, `cannot check MAC addresses: ${JSON.stringify(mac)} is none`);
  }
  using netfilter = openNftables();
  try {
    if (netfilter === undefined) throw new Error(NO_NFTABLES);
    (await import("./set-up.ts")).addCheck(netfilter, attachment, hostInterface, address);
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
export async function tearDown(
  attachment: Attachment,
  { mayTake = () => false, connection }: TearDownOptions = {},
): Promise<void> {
  using own = connection === undefined ? openNftables() : undefined;
  const netfilter = connection ?? own;
  if (netfilter === undefined) return;
  try {
    const { family, table } = BRIDGE_PREROUTING;
    const names = spoofCheckNames(attachment).map(({ chain }) => chain);
    const chains = names.flatMap((chain) => [chain, macChain(chain)]);
    const found = findChains(
      netfilter,
      chains.map((chain) => ({ family, table, chain })),
    );
    // Most often there is nothing: what removes a check is loaded only where there is one.
    if (found.every((chain) => chain === undefined)) return;
    const { findChecks, isHeld, ownJumps, removal } = await import("./found-check.ts");
    const { remove } = await import("../nftables/own-tables.ts");
    let held: FoundCheck | undefined;
    remove(netfilter, BRIDGE_PREROUTING, () => {
      const checks = findChecks(netfilter, names);
      held = checks.find(isHeld);
      return checks.flatMap((check) => removal(check, ownJumps(check.jumps, mayTake)).requests);
    });
    if (held !== undefined) {
      throw new Error(`chain ${held.chain} is busy: a rule of another program leads there; remove that rule`);
    }
  } catch (error) {
    if (isUnsupported(error)) return;
    throw new CniError(code.internal, `failed to teardown spoof-check: ${toCniError(error).message}`);
  }
}

/** @throws CniError naming what is missing or altered (G17) */
export async function check(attachment: Attachment, hostInterface: string, mac: string): Promise<void> {
  using netfilter = openNftables();
  const { missingOfCheck } = await import("./missing.ts");
  const missing =
    netfilter === undefined ? [NO_NFTABLES] : missingOfCheck(netfilter, attachment, hostInterface, mac);
  if (missing.length === 0) return;
  const { containerId, ifname } = attachment;
  throw new CniError(
    code.internal,
    `the spoof check of ${JSON.stringify(hostInterface)} for container ${JSON.stringify(containerId)} interface ` +
      `${JSON.stringify(ifname)} is lost or altered: ${missing.join("; ")}. Something flushed or changed it, as a ` +
      `firewall's reload does; DEL and ADD the attachment`,
  );
}

/**
 * Removes the checks of bridge ports that do not exist any more. Chain names carry no network, so that "its port is
 * gone" is all that GC of one network may conclude from: the check of a living port stays, whatever its network.
 * @throws CniError
 */
export async function collect(): Promise<void> {
  using netfilter = openNftables();
  if (netfilter === undefined) return;
  try {
    (await import("./collect.ts")).collect(netfilter);
  } catch (error) {
    throw new CniError(code.internal, `failed to collect spoof checks: ${toCniError(error).message}`);
  }
}
