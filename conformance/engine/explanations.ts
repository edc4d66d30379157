/** Which row explains a difference. What no row explains is a failure, and so is a row that never occurs. */
import { normal } from "./aliases.ts";
import type { ComparedStep } from "./comparison.ts";
import {
  type Deviation,
  type Exception,
  type Expected,
  isCall,
  type Reason,
  reasonText,
} from "./exceptions.ts";
import { classOf, MESSAGE_CLASSES, type MessageClass } from "./messages.ts";
import type { Problem } from "./observation.ts";
import { ABSENT, at, type Difference, describe, describePath, differences, type Side } from "./tree.ts";

interface Judgement {
  readonly rows: readonly string[];
  readonly problems: readonly string[];
}

const CODES: Reason = { row: "A18", because: "an error has the code of its kind, not 999 for all" };
const UNDONE: Reason = { row: "G7" };

/** What may differ in a suite. */
export interface Declared {
  /** Each must occur in a run of the whole suite. */
  readonly exceptions: readonly Exception[];
  /** Those of another suite, which need not occur in this one. */
  readonly shared?: readonly Exception[];
  /** Noted by the suite itself; they must occur as well. */
  readonly reasons?: readonly Reason[];
}

export class Explanations {
  private readonly exceptions: readonly Exception[];
  /** How often each was met, by what they are counted with. */
  private readonly uses = new Map<unknown, { readonly met: Reason | MessageClass; times: number }>();
  private readonly due: readonly Reason[];
  private readonly dueClasses: readonly MessageClass[];

  constructor({ exceptions, shared, reasons = [] }: Declared) {
    this.exceptions = [...exceptions, ...(shared ?? [])];
    const isHome = shared === undefined;
    this.due = [...exceptions, ...reasons, ...(isHome ? [CODES, UNDONE] : [])];
    this.dueClasses = isHome ? MESSAGE_CLASSES : [];
  }

  /** All that a case showed: the steps, and what rules the reference breaks. */
  explain(name: string, steps: readonly ComparedStep[], breaches: readonly Problem[]): Judgement {
    const rows: string[] = [];
    const problems: string[] = [];
    const judge = (reason: Reason | undefined, told: string) => {
      if (reason === undefined) problems.push(told);
      else {
        rows.push(reason.row);
        this.note(reason);
      }
    };
    for (const { text } of breaches) {
      const line = normal(text);
      const reason = this.exceptions.find(
        (entry) => "breaks" in entry && entry.breaks.test(line) && entry.cases?.test(name) !== false,
      );
      judge(reason, `reference: ${line}`);
    }
    const leftovers = new Leftovers();
    for (const compared of steps) {
      leftovers.enter(compared);
      for (const difference of compared.differences)
        judge(
          this.reason(difference, compared) ?? leftovers.explain(difference, compared),
          describeDifference(difference, compared),
        );
      const [reference, ours] = messagesOf(compared);
      const found = reference && ours ? classOf(reference, ours) : undefined;
      if (found !== undefined) this.note(found);
    }
    return { rows, problems };
  }

  /** Counts a use. */
  note(met: Reason | MessageClass): void {
    const use = this.uses.get(keyOf(met)) ?? { met, times: 0 };
    this.uses.set(keyOf(met), { met, times: use.times + 1 });
  }

  private reason(difference: Difference, compared: ComparedStep): Reason | undefined {
    const found = this.exceptions.find((entry) => "path" in entry && explains(entry, difference, compared));
    if (found !== undefined) return found;
    const isCode = describePath(difference.path) === "error > code";
    return isCode && hasCodesOfItsClass(difference, compared) ? CODES : undefined;
  }

  /** Entries that explained nothing in a whole run, and classes of messages: they are stale. */
  unused(): string[] {
    const stale = [...this.due, ...this.dueClasses].filter(
      (entry) => !this.uses.has(keyOf(entry)) && !("chance" in entry),
    );
    return [...new Set(stale.map(described))];
  }

  /** How often each reason was met, by row. */
  summary(): string[] {
    const sums = new Map<string, number>();
    for (const { met, times } of this.uses.values())
      if ("row" in met) sums.set(reasonText(met), (sums.get(reasonText(met)) ?? 0) + times);
    return [...sums]
      .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
      .map(([reason, times]) => `${String(times).padStart(6)} × ${reason}`);
  }
}

const keyOf = (entry: Reason | MessageClass): unknown => ("of" in entry ? entry.of : entry);

function described(entry: Reason | MessageClass): string {
  if (!("row" in entry)) return `message class: ${entry.name}`;
  const { path, breaks, cases } = entry as { path?: unknown; breaks?: unknown; cases?: unknown };
  return `${reasonText(entry)}${cases === undefined ? "" : ` in ${cases}`}: ${path ?? breaks ?? ""}`;
}

/** What the reference has left of ADDs that failed, and ours has not (G7). */
class Leftovers {
  /** Ours, by path. The difference stays until somebody takes away what the reference has. */
  private readonly accepted = new Map<string, string>();
  private failed = false;
  private wasSeen = true;

  enter(compared: ComparedStep): void {
    const fails = isCall(compared, "ADD") && at(compared.ours, "exit") === 1;
    // Where no state was taken between an ADD and a later step, ours must be as it was at the beginning.
    this.failed = fails || (this.failed && !this.wasSeen);
    this.wasSeen = compared.step.state !== undefined;
  }

  explain({ path, ours }: Difference, compared: ComparedStep): Reason | undefined {
    const text = describePath(path);
    if (!/^(host|container|file) > /.test(text)) return undefined;
    if (this.accepted.get(text) === describe(ours)) return UNDONE;
    if (!this.failed || !isUnchanged(compared)) return undefined;
    this.accepted.set(text, describe(ours));
    return UNDONE;
  }
}

function explains(
  { cases, path: pattern, when, ...expected }: Deviation,
  { path, reference, ours }: Difference,
  compared: ComparedStep,
): boolean {
  return (
    cases?.test(compared.name) !== false &&
    matchesPath(pattern, path) &&
    matches(expected.reference, reference, compared) &&
    matches(expected.ours, ours, compared) &&
    (when?.(compared) ?? true)
  );
}

function matchesPath(pattern: string | RegExp, path: readonly string[]): boolean {
  if (typeof pattern !== "string") return pattern.test(describePath(path));
  const parts = pattern.split(" > ");
  return parts.length === path.length && parts.every((part, index) => part === "*" || part === path[index]);
}

function matches(expected: Expected | undefined, side: Side, compared: ComparedStep): boolean {
  if (typeof expected === "function") return expected(side, compared);
  if (expected instanceof RegExp) return typeof side === "string" && expected.test(side);
  return side === (expected ?? ABSENT);
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
