/** What happened, in order: for the story of a violation, and for whether a fault and an operation met. */

/** Something done to the host by hand. `scope` names what it touches: containers, bridges, attachments, or "all". */
export interface Fault {
  readonly kind: FaultKind;
  readonly scope: string;
  readonly begin: number;
  /** Infinity as long as it goes on. */
  end: number;
}

export type FaultKind =
  | "namespace deleted"
  | "link removed"
  | "bridge removed"
  | "rules flushed"
  | "lease edited"
  | "xtables lock held"
  | "lease lock held"
  | "rule set kept busy"
  | "other iptables"
  | "state files damaged";

interface Entry {
  readonly time: number;
  readonly text: string;
  readonly subjects: readonly string[];
}

/** Entries that are kept; a storm of thousands of operations needs the last ones only. */
const KEPT = 20_000;

export class History {
  readonly #entries: Entry[] = [];
  readonly #faults: Fault[] = [];
  /** Times are told from here, in milliseconds of performance.now(). */
  readonly start = performance.now();

  /** Notes a line about some subjects: attachments, addresses, networks, containers, or "all". */
  note(text: string, ...subjects: readonly string[]): void {
    this.#entries.push({ time: performance.now() - this.start, text, subjects });
    if (this.#entries.length > 2 * KEPT) this.#entries.splice(0, KEPT);
  }

  begin(kind: FaultKind, scope: string): Fault {
    const fault: Fault = { kind, scope, begin: performance.now(), end: Number.POSITIVE_INFINITY };
    this.#faults.push(fault);
    if (this.#faults.length > 2 * KEPT) this.#faults.splice(0, KEPT);
    return fault;
  }

  end(fault: Fault): void {
    fault.end = performance.now();
  }

  /** Whether a fault of one of these kinds and scopes was going on at any time since then. */
  met(since: number, kinds: readonly FaultKind[], ...scopes: readonly string[]): boolean {
    return this.#faults.some(
      ({ kind, scope, end }) =>
        end >= since && kinds.includes(kind) && (scope === "all" || scopes.includes(scope)),
    );
  }

  /** The last lines that touch one of the subjects, with seconds since the start in front. */
  story(subjects: readonly string[], lines = 20): string[] {
    return this.#entries
      .filter(
        ({ text, subjects: its }) =>
          its.some((subject) => subject === "all" || subjects.includes(subject)) ||
          subjects.some((subject) => mentions(text, subject)),
      )
      .slice(-lines)
      .map(({ time, text }) => `${(time / 1000).toFixed(3)} ${text}`);
  }
}

/** Whether a text has these words, and not as a part of longer ones: "10.0.0.1" is not in "10.0.0.12". */
function mentions(text: string, words: string): boolean {
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + 1)) {
    if (!/[\w.:]/.test(text[at - 1] ?? "") && !/[\w:]/.test(text[at + words.length] ?? "")) return true;
  }
  return false;
}
