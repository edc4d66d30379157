/** What differs between two states of a host, for people to read. */
import type { HostState } from "./host-state.ts";

/**
 * Lines with "-" for what is gone and "+" for what is new; empty when the states are equal. Lines that match one of
 * `mayDiffer` do not count. Order counts: a firewall rule that moved is a difference.
 */
export function stateDifference(
  before: HostState,
  after: HostState,
  mayDiffer: readonly RegExp[] = [],
): string[] {
  const counts = (line: string) => !mayDiffer.some((pattern) => pattern.test(line));
  const old = before.filter(counts);
  const now = after.filter(counts);
  const gone = without(old, now);
  const fresh = without(now, old);
  const difference = [...gone.map((line) => `- ${line}`), ...fresh.map((line) => `+ ${line}`)];
  if (difference.length > 0) return difference;
  const moved = old.findIndex((line, index) => line !== now[index]);
  return moved === -1 ? [] : [`in another order: ${old[moved]}`, `now in its place: ${now[moved]}`];
}

/** The lines of `all` that are not in `other`, each as often as it is there more often. */
function without(all: HostState, other: HostState): string[] {
  const left = new Map<string, number>();
  for (const line of other) left.set(line, (left.get(line) ?? 0) + 1);
  return all.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

/** @throws Error that lists the difference, when there is one. */
export function expectUnchanged(
  before: HostState,
  after: HostState,
  mayDiffer: readonly RegExp[] = [],
): void {
  const difference = stateDifference(before, after, mayDiffer);
  if (difference.length > 0) throw new Error(`the host is not as it was:\n  ${difference.join("\n  ")}`);
}
