/** Which capability a refused call lacked (capabilities(7)). Loaded only when there was an error. */
import { type Capability, hasCapability } from "./capability.ts";

interface Need {
  readonly name: Capability;
  readonly purpose: string;
  /** What an error says that may come of its absence. */
  readonly sign: RegExp;
}

/** Capabilities, and what a refusal looks like that comes of their lack. */
const NEEDS: readonly Need[] = [
  {
    name: "CAP_NET_ADMIN",
    purpose: "needed to change links, addresses, routes and rules",
    // Netlink's refusals tell the action, those of a socket's option its words (errno.ts), those of a file its path.
    sign: /(cannot (?!enter)[^;]*(?<!\/[^";]*")|read from a socket): operation not permitted \(EPERM\)/,
  },
  {
    name: "CAP_SYS_ADMIN",
    purpose: "needed to enter network namespaces",
    sign: /enter the namespace: operation not permitted \(EPERM\)/,
  },
  {
    name: "CAP_NET_RAW",
    purpose: "needed by iptables-legacy",
    sign: /legacy[^;]*unable to initialize table|you must be root/,
  },
  {
    name: "CAP_DAC_READ_SEARCH",
    purpose: "needed by other users than root to read it",
    sign: /open "\/proc\/[^"]*": permission denied \(EACCES\)/,
  },
  {
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
  const lacking = needs.filter(({ name }) => hasCapability(name) === false);
  if (lacking.length === 0) return undefined;
  return lacking.map(({ name, purpose }) => `${name} is missing (${purpose})`).join(", ");
}
