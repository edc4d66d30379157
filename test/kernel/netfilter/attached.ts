/** Attachments as tests name them, their masquerading by addresses as text, and what a CHECK has to complain of. */
import { expect } from "bun:test";
import type { Attachment } from "../../../src/cni/attachment.ts";
import { CniError } from "../../../src/cni/error.ts";
import type { Backend } from "../../../src/netfilter/iptables/host.ts";
import { masquerade } from "./modules.ts";
import { prefixes } from "./prefixes.ts";

export const attachment = (containerId: string, ifname = "eth0", network = "net1"): Attachment => ({
  network,
  containerId,
  ifname,
});

/** The container that most tests are about. */
export const C1 = attachment("c1");

export const setUp = (backend: Backend | undefined, who: Attachment, ...addresses: readonly string[]) =>
  masquerade.setUp(backend, who, prefixes(...addresses));

export const check = (backend: Backend | undefined, who: Attachment, ...addresses: readonly string[]) =>
  masquerade.check(backend, who, prefixes(...addresses));

/** The CniError that an action ends with. @throws Error for any other end */
export async function cniError(action: Promise<unknown>): Promise<CniError> {
  const error: unknown = await action.then(
    () => "no error",
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(CniError);
  return error as CniError;
}

/** The message of the error that a CHECK gives. */
export const complaint = (checked: Promise<unknown>): Promise<string> =>
  checked.then(
    () => "CHECK has nothing to complain of",
    () => cniError(checked).then(({ message }) => message),
  );
