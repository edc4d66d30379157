/** Finds what the argument of a command names: a network, or a container by the beginning of its id. */
import type { FoundAttachment, HostState } from "./attachments.ts";
import { CommandError, exitCode } from "./exit-codes.ts";

/** The networks and attachments that a name stands for; all without one. @throws CommandError if it stands for none */
export function named(
  { networks, attachments }: Pick<HostState, "networks" | "attachments">,
  wanted: string | undefined,
): { isWanted: (network: string) => boolean; attachments: readonly FoundAttachment[] } {
  if (wanted === undefined) return { isWanted: () => true, attachments };
  const ofNetwork = attachments.filter(({ network }) => network === wanted);
  if (ofNetwork.length > 0 || networks.networks.some(({ name }) => name === wanted))
    return { isWanted: (network) => network === wanted, attachments: ofNetwork };
  const ofContainer = attachments.filter(({ containerId }) => containerId.startsWith(wanted));
  if (ofContainer.length === 0 || wanted === "") {
    throw new CommandError(
      exitCode.problems,
      `no network and no container is called ${JSON.stringify(wanted)}; run it without a name to see all`,
    );
  }
  const names = new Set(ofContainer.map(({ network }) => network));
  return { isWanted: (network) => names.has(network), attachments: ofContainer };
}
