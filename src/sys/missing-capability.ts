/** Which capability a refused call lacked (capabilities(7), uapi linux/capability.h). Loaded only when there was an error. */
import { SystemError } from "./errno.ts";
import { readText } from "./file.ts";

interface Need {
  /** The capability's number. */
  readonly bit: number;
  readonly name: string;
  readonly purpose: string;
  /** What an error says that may come of its absence. */
  readonly sign: RegExp;
}

/** Capabilities, and what a refusal looks like that comes of their lack. */
const NEEDS: readonly Need[] = [
  {
    bit: 12,
    name: "CAP_NET_ADMIN",
    purpose: "needed to change links, addresses, routes and rules",
    // Netlink's refusals tell the action, those of a socket's option its call, those of a file its path.
    sign: /(cannot (?!enter)[^;]*(?<!\/[^";]*")|getsockopt): operation not permitted \(EPERM\)/,
  },
  {
    bit: 21,
    name: "CAP_SYS_ADMIN",
    purpose: "needed to enter network namespaces",
    sign: /setns: operation not permitted \(EPERM\)/,
  },
  {
    bit: 13,
    name: "CAP_NET_RAW",
    purpose: "needed by iptables-legacy",
    sign: /legacy[^;]*unable to initialize table|you must be root/,
  },
  {
    bit: 2,
    name: "CAP_DAC_READ_SEARCH",
    purpose: "needed by other users than root to read it",
    sign: /open "\/proc\/[^"]*": permission denied \(EACCES\)/,
  },
  {
    bit: 1,
    name: "CAP_DAC_OVERRIDE",
    purpose: "needed where files belong to another user",
    sign: /"(?!\/proc\/)[^"]*": permission denied \(EACCES\)/,
  },
];

/**
 * Says which capabilities the failure with this message may come of: those that such a failure needs and this process
 * has not. Undefined when there is none.
 */
export function missingCapability(message: string): string | undefined {
  // A delegated plugin has said it already.
  if (/ is missing \(needed /.test(message)) return undefined;
  return describe(NEEDS.filter(({ sign }) => sign.test(message)));
}

/** What ADD needs and this process has not; undefined when there is nothing. */
export const missingForAttachments = (): string | undefined =>
  describe(NEEDS.filter(({ name }) => name === "CAP_NET_ADMIN" || name === "CAP_SYS_ADMIN"));

function describe(needs: readonly Need[]): string | undefined {
  if (needs.length === 0) return undefined;
  const effective = effectiveCapabilities();
  const lacking = needs.filter(
    ({ bit }) => effective !== undefined && ((effective >> BigInt(bit)) & 1n) === 0n,
  );
  if (lacking.length === 0) return undefined;
  return lacking.map(({ name, purpose }) => `${name} is missing (${purpose})`).join(", ");
}

/** The line CapEff of proc_pid_status(5); undefined where /proc does not tell. */
function effectiveCapabilities(): bigint | undefined {
  try {
    const [, digits] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText("/proc/thread-self/status")) ?? [];
    return digits === undefined ? undefined : BigInt(`0x${digits}`);
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
