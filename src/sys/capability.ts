/** The capabilities of this process (capabilities(7)), and which of them a refused call lacked. Used only on rare paths. */
import { unlessFailed } from "./errno.ts";
import { readText } from "./file.ts";

/** Number in uapi linux/capability.h. */
export const CAP_SYS_ADMIN = 21;

/** Whether this process has a capability in effect; undefined if /proc cannot be read. */
export function hasCapability(number: number): boolean | undefined {
  const status = unlessFailed(() => readText("/proc/thread-self/status"));
  // The line of proc_pid_status(5).
  const [, digits] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? "") ?? [];
  return digits === undefined ? undefined : ((BigInt(`0x${digits}`) >> BigInt(number)) & 1n) === 1n;
}

type Need = readonly [number: number, name: string, purpose: string, sign: RegExp];

/** Capabilities, and a pattern of the errors that their absence can cause. */
const needs = (): readonly Need[] => [
  // An error of netlink names the action, one of a socket's option has errno.ts's words, one of a file names its path.
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
    "needed to read it as a user other than root",
    /open "\/proc\/[^"]*": permission denied \(EACCES\)/,
  ],
  [
    1,
    "CAP_DAC_OVERRIDE",
    "needed to open files of another user",
    /"(?!\/proc\/)[^"]*": permission denied \(EACCES\)/,
  ],
];

/**
 * Names the missing capabilities that can have caused the failure with this message. Undefined if none is missing.
 */
export function missingCapability(message: string): string | undefined {
  // A delegated plugin has already named it.
  if (/ is missing \(needed /.test(message)) return undefined;
  return describe(([, , , sign]) => sign.test(message));
}

/** The capabilities that ADD needs and this process lacks; undefined if none is missing. */
export const missingForAttachments = (): string | undefined =>
  describe(([, name]) => name === "CAP_NET_ADMIN" || name === "CAP_SYS_ADMIN");

function describe(isNeeded: (need: Need) => boolean): string | undefined {
  const lacking = needs().filter((need) => isNeeded(need) && hasCapability(need[0]) === false);
  if (lacking.length === 0) return undefined;
  return lacking.map(([, name, purpose]) => `${name} is missing (${purpose})`).join(", ");
}
