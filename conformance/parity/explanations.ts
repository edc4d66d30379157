/** Which row of the specs explains a difference. What no row explains is a failure, and so is a row that never occurs. */
import type { SuiteCase } from "../suite.ts";
import type { ComparedStep } from "./comparison.ts";
import { LIKES } from "./exceptions/likes.ts";
import { EXCEPTIONS, type Exception, type Expected } from "./exceptions.ts";
import { classOf, MESSAGE_CLASSES } from "./messages.ts";
import { isCall } from "./situation.ts";
import { at, type Difference, describe, describePath, differences, type Side } from "./tree.ts";

export interface Judgement {
  readonly rows: readonly string[];
  readonly problems: readonly string[];
}

type Reason = Pick<Exception, "row" | "because">;

/** Entries of one reason count together. */
const textOf = ({ row, because }: Reason): string => `${row}: ${because}`;

const CODES: Reason = { row: "A18", because: "an error has the code of its kind, not 999 for all" };
const UNDONE: Reason = { row: "G7", because: "a failed ADD leaves everything as it was" };

export class Explanations {
  /** By row and reason. */
  readonly #uses = new Map<string, number>(
    [...EXCEPTIONS, ...Object.values(LIKES), CODES, UNDONE].map((reason) => [textOf(reason), 0]),
  );
  readonly #classes = new Set<unknown>();

  /** All steps of a case. */
  explain(steps: readonly ComparedStep[]): Judgement {
    const rows: string[] = [];
    const problems: string[] = [];
    const leftovers = new Leftovers();
    for (const compared of steps) {
      leftovers.enter(compared);
      for (const difference of compared.differences) {
        const reason = this.#reason(difference, compared) ?? leftovers.explain(difference, compared);
        if (reason === undefined) problems.push(describeDifference(difference, compared));
        else {
          rows.push(reason.row);
          this.note(reason);
        }
      }
      this.#noteClass(compared);
    }
    return { rows, problems };
  }

  /** Counts a use of a reason. */
  note(reason: Reason): void {
    this.#uses.set(textOf(reason), (this.#uses.get(textOf(reason)) ?? 0) + 1);
  }

  #reason(difference: Difference, compared: ComparedStep): Reason | undefined {
    const found = EXCEPTIONS.find((candidate) => explains(candidate, difference, compared));
    if (found !== undefined) return found;
    const isCode = describePath(difference.path) === "error > code";
    return isCode && hasCodesOfItsClass(difference, compared) ? CODES : undefined;
  }

  #noteClass(compared: ComparedStep): void {
    const [reference, ours] = messagesOf(compared);
    if (reference !== undefined && ours !== undefined) this.#classes.add(classOf(reference, ours));
  }

  /** Entries that explained nothing in a whole run: they are stale. */
  unused(): SuiteCase[] {
    const reasons = [...this.#uses].flatMap(([reason, uses]) => (uses > 0 ? [] : [reason]));
    const classes = MESSAGE_CLASSES.flatMap((entry) =>
      this.#classes.has(entry) ? [] : [`message class: ${entry.name}`],
    );
    return [...reasons, ...classes].map((name) => ({
      name: `exception ${name}`,
      verdict: "FAIL",
      compared: "",
      problems: ["never occurred: take it out"],
    }));
  }

  /** How often each reason was met, by row. */
  summary(): string[] {
    return [...this.#uses]
      .filter(([, uses]) => uses > 0)
      .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
      .map(([reason, uses]) => `${String(uses).padStart(6)} × ${reason}`);
  }
}

/** What the reference has left of ADDs that failed, and ours has not (G7). */
class Leftovers {
  /** Ours, by path. The difference stays until somebody takes away what the reference has. */
  readonly #accepted = new Map<string, string>();
  #failed = false;

  enter(compared: ComparedStep): void {
    const fails = isCall(compared, "ADD") && at(compared.ours, "exit") === 1;
    // Where no state was taken between an ADD and the last step, ours must be as it was at the beginning.
    this.#failed = fails || (this.#failed && compared.parityCase.stateAfter === "last");
  }

  explain({ path, ours }: Difference, compared: ComparedStep): Reason | undefined {
    const text = describePath(path);
    if (!/^(host|container|file) > /.test(text)) return undefined;
    if (this.#accepted.get(text) === describe(ours)) return UNDONE;
    if (!this.#failed || !isUnchanged(compared)) return undefined;
    this.#accepted.set(text, describe(ours));
    return UNDONE;
  }
}

function explains(
  exception: Exception,
  { path, reference, ours }: Difference,
  compared: ComparedStep,
): boolean {
  return (
    matchesPath(exception.path, path) &&
    matches(exception.reference, reference, compared) &&
    matches(exception.ours, ours, compared) &&
    (exception.when?.(compared) ?? true)
  );
}

function matchesPath(pattern: string | RegExp, path: readonly string[]): boolean {
  if (typeof pattern !== "string") return pattern.test(describePath(path));
  const parts = pattern.split(" > ");
  return parts.length === path.length && parts.every((part, index) => part === "*" || part === path[index]);
}

function matches(expected: Expected, side: Side, compared: ComparedStep): boolean {
  if (typeof expected === "function") return expected(side, compared);
  if (expected instanceof RegExp) return typeof side === "string" && expected.test(side);
  return expected === side;
}

const messagesOf = (compared: ComparedStep): (string | undefined)[] =>
  [compared.reference, compared.ours].map((tree) => {
    const message = at(tree, "error", "message");
    return typeof message === "string" ? message : undefined;
  });

function hasCodesOfItsClass({ reference, ours }: Difference, compared: ComparedStep): boolean {
  const [theirs, mine] = messagesOf(compared);
  if (theirs === undefined || mine === undefined) return false;
  return (classOf(theirs, mine)?.codes ?? []).some(([a, b]) => a === reference && b === ours);
}

/**
 * What an ADD that failed may leave: the leases' folder without a lease, and the hint, which is only a hint (L3); a
 * bridge that never had a port before shows that it has no carrier.
 */
const MAY_STAY =
  /^file > \S+(\/networks(\/[a-z]+)?|\/leases|\/lock|\/\.bridgehead|\.index|\/last_reserved_ip\.\d)( > content)?$|^host > link > cni0 > (flags > LOWER_UP|(address_of|route) > .*(fe80|ff00):.*)$/;

/** Whether our side is as it was before the step, but for what the reference has changed in the same way. */
function isUnchanged({ ours, oursBefore, ...compared }: ComparedStep): boolean {
  const differing = new Set(compared.differences.map(({ path }) => describePath(path)));
  return ["host", "container", "file"]
    .flatMap((part) => differences(at(oursBefore, part), at(ours, part), [part]))
    .map(({ path }) => describePath(path))
    .every((path) => MAY_STAY.test(path) || !differing.has(path));
}

const describeDifference = ({ path, reference, ours }: Difference, { step }: ComparedStep): string =>
  `${step.label}: ${describePath(path)}: reference ${describe(reference)}, ours ${describe(ours)}`;
