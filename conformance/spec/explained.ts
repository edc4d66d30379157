/**
 * Why the reference differs: by a row of the specs, or by a decision named here. An entry says in which cases, and
 * what exactly the difference is. What no entry explains is a failure, and so is an entry that never occurs.
 */
import type { SuiteCase } from "../suite.ts";
import { TABLE } from "./explained/index.ts";

export interface Explained {
  /** As in the specs: A17, G1, L2, …; or P1, P2, … of docs/conformance.md. */
  readonly row: string;
  readonly because: string;
  /** Names of cases. */
  readonly cases: RegExp;
  /** The line of a difference, or of what the reference breaks. */
  readonly difference: RegExp;
  /** Occurs in nearly every case, so the table names only its row. */
  readonly everywhere?: true;
  /** Whether it occurs is chance: the one kind of entry that need not. */
  readonly chance?: true;
}

export class Explanations {
  readonly #uses = new Map<Explained, number>(TABLE.map((entry) => [entry, 0]));

  /** The entries that explain the lines, and the lines that none explains. */
  explain(name: string, lines: readonly string[]): { entries: Explained[]; unexplained: string[] } {
    const entries = new Set<Explained>();
    const unexplained: string[] = [];
    for (const line of lines) {
      const entry = TABLE.find(({ cases, difference }) => cases.test(name) && difference.test(line));
      if (entry === undefined) unexplained.push(line);
      else {
        entries.add(entry);
        this.#uses.set(entry, (this.#uses.get(entry) ?? 0) + 1);
      }
    }
    return { entries: [...entries], unexplained };
  }

  /** Entries that explained nothing in a whole run. */
  unused(): SuiteCase[] {
    const idle = [...this.#uses].filter(([{ chance }, uses]) => uses === 0 && !chance);
    return idle.map(([{ row, because, cases, difference }]) => ({
      name: `explained ${row}: ${because}`,
      verdict: "FAIL",
      compared: "",
      problems: [`never occurred: ${difference} in ${cases}: take it out`],
    }));
  }

  /** How often each reason was met. Entries of one reason count together. */
  summary(): string[] {
    const sums = new Map<string, number>();
    for (const [{ row, because }, uses] of this.#uses) {
      const reason = `${row}: ${because}`;
      if (uses > 0) sums.set(reason, (sums.get(reason) ?? 0) + uses);
    }
    const sorted = [...sums].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
    return sorted.map(([reason, uses]) => `${String(uses).padStart(6)} × ${reason}`);
  }
}
