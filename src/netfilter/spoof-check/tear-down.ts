/** Removes the spoof check of an attachment (B17, G5). */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Link } from "../../netlink/rtnetlink/link.ts";
import { macChain, spoofCheckNames } from "../attachment-names.ts";
import { findChains, isUnsupported, openNftables } from "../kernel.ts";
import { BRIDGE_PREROUTING } from "../nftables/base-chains.ts";

/**
 * Call it after the interface is gone: several attachments may have the same names (K3), and only the check of a port
 * that is gone is certainly the attachment's. It succeeds if there is no check.
 * @param mayTake whether a port that still exists, with a check under the attachment's names, is the attachment's own
 * @param connection from `openNftables`, for a caller that has more to do before closing it. @throws CniError
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
    // Usually there is no check: the code that removes it is loaded only if needed.
    if (isThere) (await import("./found-check.ts")).removeOwn(netfilter, names, mayTake);
  } catch (error) {
    if (isUnsupported(error)) return;
    throw new CniError(code.internal, `failed to teardown spoof-check: ${toCniError(error).message}`);
  }
}
