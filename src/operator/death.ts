/**
 * The one rule by which commands call an attachment dead (rules O6, L4): `gc` frees it, and `ports` and `show` say so. What is
 * only unknown is not dead for any of them.
 */
import type { FoundAttachment } from "./attachments.ts";
import type { JudgedLease } from "./lease-states.ts";

/**
 * Why an attachment is dead; undefined if that is not proven.
 * @param leases its leases, which tell alone if there are any
 * @param signs what else was found of it: a link or a namespace is a sign of life
 * @param isGone whether one of its rules records a namespace that is proven gone
 */
export function deathOf(
  leases: readonly JudgedLease[],
  signs: Pick<FoundAttachment, "links" | "netns"> | undefined,
  isGone: boolean,
): string | undefined {
  const [first] = leases;
  if (first !== undefined) return leases.every(({ state }) => state === "dead") ? first.why : undefined;
  const isSeen = signs !== undefined && (signs.links.length > 0 || signs.netns !== undefined);
  return isGone && !isSeen ? "its network namespace is gone" : undefined;
}
