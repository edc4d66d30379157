/** Finds what the argument of a command names: a network, or a container by the beginning of its id or by its namespace. */
import type { FoundAttachment, HostState } from "./attachments.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";

/** The networks and attachments that a name stands for; all without one. @throws CommandError if it stands for none */
export function named(
  { networks, attachments }: Pick<HostState, "networks" | "attachments">,
  wanted: string | undefined,
): { isWanted: (network: string) => boolean; attachments: readonly FoundAttachment[] } {
  if (wanted === undefined) return { isWanted: () => true, attachments };
  const ofNetwork = attachments.filter(({ network }) => network === wanted);
  if (ofNetwork.length > 0 || networks.networks.some(({ name }) => name === wanted))
    return { isWanted: (network) => network === wanted, attachments: ofNetwork };
  const byId = attachments.filter(({ containerId }) => containerId.startsWith(wanted));
  const ofContainer = byId.length > 0 ? byId : attachments.filter((each) => isIn(each, wanted));
  if (ofContainer.length === 0 || wanted === "") {
    throw new CommandError(
      exitCode.problems,
      `no network and no container is called ${JSON.stringify(wanted)}; run it without a name to see all`,
    );
  }
  const names = new Set(ofContainer.map(({ network }) => network));
  return { isWanted: (network) => names.has(network), attachments: ofContainer };
}

/** Whether its namespace, which may be gone, has this name for ip(8). */
const isIn = ({ netns, cached }: FoundAttachment, name: string): boolean =>
  [netns?.path, cached?.netns].some(
    (path) => path === `/run/netns/${name}` || path === `/var/run/netns/${name}`,
  );

/** The failure for a network that is not there. @param place where else it could have been, as in "a folder of leases" */
export function unknownNetwork(
  name: string,
  place: string,
  names: readonly string[],
  exit: ExitCode = exitCode.problems,
): CommandError {
  const known = names.length === 0 ? "there is none" : `there are ${[...new Set(names)].sort().join(", ")}`;
  return new CommandError(
    exit,
    `cannot find network ${JSON.stringify(name)}: neither a configuration nor ${place} has that name; ${known}`,
  );
}
