/** Asks the plugin that makes the interfaces what still uses an address whose lease is to go (rules L1, L4, K6). */
import { CniError, code } from "../cni/error.ts";
import type { HeldAddress, Request } from "../cni/plugin.ts";
import { describeContent } from "./lease.ts";
import type { LeaseFile } from "./lease-files.ts";

/** How `Request.userOf` is asked. */
export type UserOf = Request["userOf"];

/**
 * What still uses the address of a lease, as a clause; undefined when nothing does, and when the plugin that delegates
 * says nothing of it. A lease in the old format stands for each interface of its container. `among` are the leases that are
 * asked for together.
 */
export async function userOfLease(
  userOf: UserOf,
  lease: LeaseFile,
  among: readonly LeaseFile[],
): Promise<string | undefined> {
  return await userOf?.(heldBy(lease), () => among.map(heldBy));
}

function heldBy({ address, content = "" }: LeaseFile): HeldAddress {
  const [containerId = "", ifname = ""] = content.split("\r\n");
  return { address, containerId, ifname };
}

/** The error for an address that has to stay. `path` is the lease's file. */
export const stillUsed = ({ name, content = "" }: LeaseFile, user: string, path: string): CniError =>
  new CniError(
    code.internal,
    `cannot release ${name} of ${describeContent(content)}: ${user}, and another container must not get its address; ` +
      `remove that interface and try again (the lease is ${path})`,
  );
