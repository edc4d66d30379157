/** Trees of facts, and what differs between two of them. */

export type Fact = string | number | boolean | null;
export interface Tree {
  [key: string]: Fact | Tree;
}

/** Stands for a fact or a branch that one side does not have. */
export const ABSENT = Symbol("absent");

export type Side = Fact | Tree | typeof ABSENT;

export interface Difference {
  readonly path: readonly string[];
  readonly reference: Side;
  readonly ours: Side;
}

/** Any JSON as a tree: arrays by index, values left out where undefined. */
export function treeOf(value: unknown): Fact | Tree {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  const entries = Object.entries(value as object).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, treeOf(item)]));
}

export const isTree = (side: Side | undefined): side is Tree => typeof side === "object" && side !== null;

/** Every difference, the branch that one side lacks as one. */
export function differences(reference: Side, ours: Side, path: readonly string[] = []): Difference[] {
  if (!isTree(reference) || !isTree(ours)) return reference === ours ? [] : [{ path, reference, ours }];
  const keys = [...new Set([...Object.keys(reference), ...Object.keys(ours)])].sort();
  return keys.flatMap((key) => differences(at(reference, key), at(ours, key), [...path, key]));
}

/** Whether a side has anything there. */
export const there = (side: Side): boolean => side !== ABSENT;

/** What is at a path below a side, ABSENT where it ends. */
export const at = (side: Side, ...path: readonly string[]): Side =>
  path.reduce<Side>(
    (found, key) => (isTree(found) && Object.hasOwn(found, key) ? (found[key] as Side) : ABSENT),
    side,
  );

/** Number of facts in a tree. */
export const count = (side: Side): number =>
  isTree(side) ? Object.values(side).reduce<number>((sum, item) => sum + count(item), 0) : 1;

/** A side in a line of a report. */
export function describe(side: Side): string {
  if (side === ABSENT) return "(none)";
  const text = JSON.stringify(side);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

export const describePath = (path: readonly string[]): string => path.join(" > ");
