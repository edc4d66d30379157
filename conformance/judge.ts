/** What a case found out: facts that were compared, those that are wrong, and where the reference is known to fail. */

/** Collects; a fact that is wrong does not end the case. */
export class Judge {
  private facts = 0;
  private readonly problems: string[] = [];
  private readonly rows = new Set<string>();

  /** The two are the same JSON; keys in any order. */
  same(what: string, found: unknown, wanted: unknown): void {
    this.holds(what, Bun.deepEquals(found, wanted), found, wanted);
  }

  says(what: string, text: string, pattern: RegExp): void {
    this.holds(what, pattern.test(text), text, String(pattern));
  }

  /** The condition is true; `found` and `wanted` are shown if it is not. */
  holds(what: string, condition: boolean, found: unknown, wanted?: unknown): void {
    this.facts += 1;
    if (condition) return;
    const instead = wanted === undefined ? "" : `, not ${shown(wanted)}`;
    this.problems.push(`${what}: ${shown(found)}${instead}`);
  }

  /**
   * The reference differs from ours here, as the row of the specs says. A fact like others: when the reference does it
   * right, the row is wrong.
   */
  explained(row: string, because: string, occurs: boolean, found: unknown): void {
    this.rows.add(`${row} (${because})`);
    this.holds(`${row}: the reference no longer differs (${because})`, occurs, found);
  }

  /** @throws Error when the fact does not hold: nothing after it would make sense. */
  require(what: string, condition: boolean, found: unknown): void {
    this.holds(what, condition, found);
    if (!condition) throw new Stop();
  }

  /** What is not undefined. @throws Error when it is, as require does. */
  present<T>(what: string, found: T | undefined): T {
    this.holds(what, found !== undefined, "not there");
    if (found === undefined) throw new Stop();
    return found;
  }

  /** An error that ended the case. */
  broken(error: unknown): void {
    if (error instanceof Stop) return;
    this.problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  get findings(): Findings {
    return { facts: this.facts, problems: this.problems, rows: [...this.rows] };
  }
}

/** What the worker tells the suite. */
export interface Findings {
  readonly facts: number;
  readonly problems: readonly string[];
  readonly rows: readonly string[];
}

/** The fact that ended the case is told already. */
class Stop extends Error {}

const shown = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
