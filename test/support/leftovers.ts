/** What stays on a host after a plugin's DEL by design, as patterns for `mayKeep` of withScratchHost. */

const escaped = (name: string) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Folder of the lock that ADDs take on the host's network namespace. */
export const LOCK_FOLDER = "/run/bridgehead";

/**
 * That lock and the one of changes to iptables-legacy, as lines of the state. They stay until the machine is started again;
 * anything else there is a difference.
 */
export const hostLock = (netns: { inode: number }): string[] => [
  `file ${LOCK_FOLDER}/ 700`,
  `file ${LOCK_FOLDER}/netns-${netns.inode}.lock 600 ""`,
  `file ${LOCK_FOLDER}/netns-${netns.inode}.lock-xtables 600 ""`,
];

/** A bridge stays when its last port goes (rule B33), with addresses and routes. */
export const keptBridge = (name: string): RegExp[] => [
  new RegExp(`^(link|address|port) ${escaped(name)} `),
  new RegExp(`^(route|fdb|vlan|neighbour) .*"(dev|ifname|master)":"${escaped(name)}"`),
];

/** Forwarding stays on (rule B26). */
export const keptForwarding: readonly RegExp[] = [
  /^sysctl net\.ipv4\.(ip_forward|conf\.\w+\.forwarding) /,
  /^sysctl net\.ipv6\.conf\.\w+\.forwarding /,
];

/** iptables-nft leaves the tables and the built-in chains that it made, without rules. */
export const keptIptablesChains: readonly RegExp[] = [
  /^nft \{"table":\{"family":"ip6?","name":"(nat|filter)"/,
  /^nft \{"chain":\{"family":"ip6?","table":"(nat|filter)","name":"[A-Z]+","type"/,
];

/**
 * The folder of a network with its lock and its hint (rules H50–H52), and what Bridgehead's own host-local knows beside
 * the leases: everything but leases.
 */
export const keptLeaseFolder = (network: string): RegExp[] => [
  /^file \/var\/lib\/cni\/(networks\/(\.bridgehead\/)?)? /,
  new RegExp(`^file /var/lib/cni/networks/${escaped(network)}/((lock|last_reserved_ip\\.\\d+)? )`),
  new RegExp(`^file /var/lib/cni/networks/\\.bridgehead/${escaped(network)}\\.index `),
];
