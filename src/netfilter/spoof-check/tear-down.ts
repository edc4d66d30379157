/** Removes the spoof check of an attachment (B17, G5). */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Link } from "../../netlink/rtnetlink/link.ts";
import { macChain, spoofCheckNames } from "../attachment-names.ts";
import { findChains, isUnsupported, openNftables } from "../kernel.ts";
import { BRIDGE_PREROUTING } from "../nftables/base-chains.ts";

/**
 * Nothing there is success. Several attachments may have the same names (K3): for certain the attachment's is only what
 * is about a port that is gone. So this is called when its interface is gone.
 * @param mayTake whether a port that still exists, with a check under the attachment's names, is the attachment's own
 * @param connection of `openNftables`, for a caller that has more to do before it closes it. @throws CniError
 */
export async function tearDown(
  attachment: Attachment,
  mayTake: (port: Link) => boolean = () => false,
  connection?: Connection,
): Promise<void> {
  using own = connection === undefined ? openNftables() : undefined;
  const netfilter = connection ?? own;
  if (netfilter === undefined) return;
  const { family, table } = BRIDGE_PREROUTING;
  const names: string[] = [];
  const chains = [];
  for (const { chain } of spoofCheckNames(attachment)) {
    names.push(chain);
    chains.push({ family, table, chain }, { family, table, chain: macChain(chain) });
  }
  try {
    let isThere = false;
    for (const chain of findChains(netfilter, chains)) isThere ||= chain !== undefined;
    // Most often there is none: what removes it is loaded only where there is one.
    if (isThere) (await import("./found-check.ts")).removeOwn(netfilter, names, mayTake);
  } catch (error) {
    if (isUnsupported(error)) return;
    throw new CniError(code.internal, `failed to teardown spoof-check: ${toCniError(error).message}`);
  }
}
