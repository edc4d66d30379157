/** The capabilities of this process (capabilities(7)), and which of them a refused call lacked. For errors and rare paths. */
import { unlessFailed } from "./errno.ts";
import { readText } from "./file.ts";

/** Its number in uapi linux/capability.h. */
export const CAP_SYS_ADMIN = 21;

/** Whether this process has a capability now; undefined where /proc does not tell. */
export function hasCapability(number: number): boolean | undefined {
  const status = unlessFailed(() => readText("/proc/thread-self/status"));
  // The line of proc_pid_status(5).
  const [, digits] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? "") ?? [];
  return digits === undefined ? undefined : ((BigInt(`0x${digits}`) >> BigInt(number)) & 1n) === 1n;
}

type Need = readonly [number: number, name: string, purpose: string, sign: RegExp];

/** Capabilities, and what an error says that may come of their absence. */
const needs = (): readonly Need[] => [
  // Netlink's refusals tell the action, those of a socket's option its words (errno.ts), those of a file its path.
  [
    12,
    "CAP_NET_ADMIN",
    "needed to change links, addresses, routes and rules",
    /(cannot (?!enter)[^;]*(?<!\/[^";]*")|read from a socket): operation not permitted \(EPERM\)/,
  ],
  [
    CAP_SYS_ADMIN,
    "CAP_SYS_ADMIN",
    "needed to enter network namespaces",
    /enter the namespace: operation not permitted \(EPERM\)/,
  ],
  [13, "CAP_NET_RAW", "needed by iptables-legacy", /legacy[^;]*unable to initialize table|you must be root/],
  [
    2,
    "CAP_DAC_READ_SEARCH",
    "needed by other users than root to read it",
    /open "\/proc\/[^"]*": permission denied \(EACCES\)/,
  ],
  [
    1,
    "CAP_DAC_OVERRIDE",
    "needed where files belong to another user",
    /"(?!\/proc\/)[^"]*": permission denied \(EACCES\)/,
  ],
];

/**
 * Says which capabilities the failure with this message may come of: those that such a failure needs and this process
 * has not. Undefined when there is none.
 */
export function missingCapability(message: string): string | undefined {
  // A delegated plugin has said it already.
  if (/ is missing \(needed /.test(message)) return undefined;
  return describe(([, , , sign]) => sign.test(message));
}

/** What ADD needs and this process has not; undefined when there is nothing. */
export const missingForAttachments = (): string | undefined =>
  describe(([, name]) => name === "CAP_NET_ADMIN" || name === "CAP_SYS_ADMIN");

function describe(isNeeded: (need: Need) => boolean): string | undefined {
  const lacking = needs().filter((need) => isNeeded(need) && hasCapability(need[0]) === false);
  if (lacking.length === 0) return undefined;
  return lacking.map(([, name, purpose]) => `${name} is missing (${purpose})`).join(", ");
}
