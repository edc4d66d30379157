/**
 * Translates a regular expression of Go (https://pkg.go.dev/regexp/syntax) into one of JavaScript, since administrators
 * write the allowlist for the Go plugin. What Go refuses is refused, for Go's reason. The translation only has to tell
 * whether a text matches, so that greediness and the numbers of groups do not count. Letters outside of ASCII fold by case
 * only with their own other form.
 */

import { Characters, ExpressionError } from "./go-characters.ts";

/** Translates an expression. @throws ExpressionError */
export function compileGo(expression: string): RegExp {
  const parser = new Parser(expression);
  const { source } = parser.alternatives();
  parser.requireEnd();
  return new RegExp(source, "u");
}

/** Most repetitions of an expression, those of the expressions inside counted in; and most groups inside each other. */
const MOST_REPEATED = 1000;
const MOST_NESTED = 1000;

/** A translated part, and how often its parts are repeated at most. */
interface Part {
  readonly source: string;
  readonly repeated: number;
}

/** Groups, repetitions and places. */
class Parser extends Characters {
  private depth = 0;

  requireEnd(): void {
    if (this.at < this.text.length) throw new ExpressionError("unexpected )");
  }

  /** What is separated by "|", up to ")" or the end. Flags that are set inside end with it. */
  alternatives(): Part {
    const { flags } = this;
    let source = "";
    let repeated = 1;
    let last: Part | undefined;
    const finish = (): void => {
      if (last === undefined) return;
      source += last.source;
      repeated = Math.max(repeated, last.repeated);
      last = undefined;
    };
    let isRepetition = false;
    while (this.at < this.text.length && this.peek() !== ")") {
      const bounds = this.repetition();
      if (bounds !== undefined) {
        if (last === undefined)
          throw new ExpressionError(`missing argument to repetition operator: ${bounds.text}`);
        if (isRepetition) throw new ExpressionError(`invalid nested repetition operator: ${bounds.text}`);
        last = repeat(last, bounds);
        isRepetition = true;
        continue;
      }
      isRepetition = false;
      if (this.take("|")) {
        finish();
        source += "|";
        continue;
      }
      // Flags alone are not a part: a repetition behind them is for the part before.
      const part = this.part();
      if (part === undefined) continue;
      finish();
      last = part;
    }
    finish();
    this.flags = flags;
    return { source, repeated };
  }

  /** "*", "+", "?" or "{2,5}" with a "?" that may follow. A brace that is none of these is a character. */
  private repetition(): Bounds | undefined {
    const [whole, star, braces, least = "", comma, most = ""] =
      this.match(/^(?:([*+?])|(\{)(0|[1-9]\d*)(,(0|[1-9]\d*)?)?\})\??/) ?? [];
    if (whole === undefined) return undefined;
    if (star !== undefined) return { text: whole, star };
    if (braces === undefined) return undefined;
    const from = Number(least);
    const to = comma === undefined ? from : most === "" ? undefined : Number(most);
    if (from > MOST_REPEATED || (to !== undefined && (to > MOST_REPEATED || to < from)))
      throw new ExpressionError(`invalid repeat count: ${whole}`);
    return { text: whole, star: `{${from}${to === undefined ? "," : `,${to}`}}`, count: [from, to] };
  }

  /** One character, class, group or place; undefined for flags alone, and for an empty quotation. */
  private part(): Part | undefined {
    const character = this.next();
    switch (character) {
      case "(":
        return this.group();
      case "[":
        return once(this.characterClass());
      case ".":
        return once(this.flags.includes("s") ? "[^]" : "[^\\n]");
      case "^":
        return once(this.flags.includes("m") ? "(?:^|(?<=\\n))" : "(?:^)");
      case "$":
        return once(this.flags.includes("m") ? "(?:$|(?=\\n))" : "(?:$)");
      case "\\":
        return this.escape();
      default:
        return once(this.literal(character));
    }
  }

  private group(): Part | undefined {
    if (++this.depth > MOST_NESTED) throw new ExpressionError("expression nests too deeply");
    const { flags } = this;
    if (this.take("?")) {
      const [named, name] = this.match(/^P?<([^>]*)>?/) ?? [];
      if (named === undefined && !this.readFlags()) {
        this.depth--;
        return undefined;
      }
      if (named !== undefined && !(named.endsWith(">") && /^\w+$/.test(name ?? "")))
        throw new ExpressionError(`invalid named capture: (?${named}`);
    }
    const { source, repeated } = this.alternatives();
    if (!this.take(")")) throw new ExpressionError(`missing closing ): ${this.text}`);
    this.flags = flags;
    this.depth--;
    return { source: `(?:${source})`, repeated };
  }

  /** The flags behind "(?". True if a group with them follows, false if they count for the rest of this group. */
  private readFlags(): boolean {
    const [whole, on = "", minus, off = "", end] = this.match(/^([imsU]*)(-([imsU]+))?([:)])/) ?? [];
    if (whole === undefined)
      throw new ExpressionError(`invalid or unsupported Perl syntax: (?${this.peek()}`);
    this.flags += on;
    if (minus !== undefined) this.flags = [...this.flags].filter((flag) => !off.includes(flag)).join("");
    return end === ":";
  }

  private escape(): Part | undefined {
    const character = this.peek();
    switch (character) {
      case "A":
      case "z":
      case "b":
      case "B":
        this.at++;
        return once({ A: "(?:^)", z: "(?:$)", b: "(?:\\b)", B: "(?:\\B)" }[character]);
      case "Q": {
        const end = this.text.indexOf("\\E", ++this.at);
        const quoted = this.text.slice(this.at, end < 0 ? undefined : end);
        this.at = end < 0 ? this.text.length : end + 2;
        const characters = [...quoted].map((each) => this.literal(each));
        // A repetition that follows is for the last character.
        const last = characters.pop();
        return last === undefined ? undefined : once(characters.join("") + last);
      }
    }
    const set = this.set();
    return once(set === undefined ? this.literal(this.escaped()) : `[${set}]`);
  }
}

interface Bounds {
  /** As it is written. */
  readonly text: string;
  /** In JavaScript. */
  readonly star: string;
  readonly count?: readonly [from: number, to: number | undefined];
}

function repeat({ source, repeated }: Part, { text, star, count }: Bounds): Part {
  const times = count === undefined ? 1 : (count[1] ?? count[0]);
  const all = times === 0 ? 1 : repeated * times;
  if (all > MOST_REPEATED) throw new ExpressionError(`invalid repeat count: ${text}`);
  return { source: `(?:${source}${star})`, repeated: all };
}

const once = (source: string): Part => ({ source, repeated: 1 });
