/** The characters and classes of a regular expression of Go, translated for JavaScript. */
import { escapeOf, perlClass, posixClass, unicodeClass } from "./go-classes.ts";

/** Go refuses the expression; the message has its words. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
}

const ESCAPES: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** Reads an expression from left to right. @throws ExpressionError */
export class Characters {
  protected readonly text: string;
  protected at = 0;
  /** The flags i, m and s; U does not matter. */
  protected flags = "";

  constructor(text: string) {
    this.text = text;
  }

  protected peek(): string {
    return this.text[this.at] ?? "";
  }

  protected take(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  /** The next character, which may have two units. */
  protected next(): string {
    const point = this.text.codePointAt(this.at);
    const character = point === undefined ? "" : String.fromCodePoint(point);
    this.at += character.length;
    return character;
  }

  protected match(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(this.text.slice(this.at));
    if (found === null) return undefined;
    this.at += found[0].length;
    return found;
  }

  /** A class such as "\d" or "\pL", whose backslash is read, without brackets; undefined for anything else. */
  protected set(): string | undefined {
    const perl = perlClass(this.peek());
    if (perl !== undefined) {
      this.at++;
      return perl;
    }
    const [whole, p, single, inverse, long = ""] = this.match(/^([pP])(?:([^{])|\{(\^?)([^}]*)\})/u) ?? [];
    if (whole === undefined) return undefined;
    const items = unicodeClass(single ?? long, (p === "P") !== (inverse === "^"), this.flags.includes("i"));
    if (items === undefined) throw new ExpressionError(`invalid character class range: \\${whole}`);
    return items;
  }

  /** The character behind a backslash. */
  protected escaped(): string {
    const [octal] = this.match(/^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/) ?? [];
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    const [hex, long, short = ""] = this.match(/^x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))/) ?? [];
    if (hex !== undefined) {
      const point = Number.parseInt(long ?? short, 16);
      if (point > 0x10ffff) throw new ExpressionError(`invalid escape sequence: \\${hex}`);
      return String.fromCodePoint(point);
    }
    const character = this.next();
    if (character === "") throw new ExpressionError("trailing backslash at end of expression");
    const named = ESCAPES[character];
    if (named !== undefined) return String.fromCodePoint(named);
    if (character < "\x80" && !/[0-9A-Za-z]/.test(character)) return character;
    throw new ExpressionError(`invalid escape sequence: \\${character}`);
  }

  /** A class behind its opening bracket. */
  protected characterClass(): string {
    const isNegated = this.take("^");
    let items = "";
    for (let isFirst = true; isFirst || this.peek() !== "]"; isFirst = false) {
      if (this.peek() === "") throw new ExpressionError("missing closing ]");
      items += this.posix() ?? (this.text.startsWith("\\", this.at) ? this.setOrRange() : this.range());
    }
    this.at++;
    return `[${isNegated ? "^" : ""}${items}]`;
  }

  private posix(): string | undefined {
    const [whole, inverse, name = ""] = this.match(/^\[:(\^?)(.*?):\]/s) ?? [];
    if (whole === undefined) return undefined;
    const items = posixClass(name, inverse === "^", this.flags.includes("i"));
    if (items === undefined) throw new ExpressionError(`invalid character class range: ${whole}`);
    return items;
  }

  private setOrRange(): string {
    this.at++;
    const set = this.set();
    if (set !== undefined) return set;
    this.at--;
    return this.range();
  }

  /** One character of a class, or a range of them. */
  private range(): string {
    const start = this.at;
    const low = this.classCharacter();
    let high = low;
    if (this.peek() === "-" && this.text[this.at + 1] !== "]" && this.at + 1 < this.text.length) {
      this.at++;
      high = this.classCharacter();
    }
    const [from, to] = [low.codePointAt(0) ?? 0, high.codePointAt(0) ?? 0];
    if (to < from)
      throw new ExpressionError(`invalid character class range: ${this.text.slice(start, this.at)}`);
    const items = from === to ? this.forms(low).map(escapeOf) : [`${escapeOf(low)}-${escapeOf(high)}`];
    if (from !== to && this.flags.includes("i")) {
      // Both forms of each letter of ASCII in the range.
      for (let point = Math.max(from, 0x41); point <= Math.min(to, 0x7a); point++)
        for (const form of this.forms(String.fromCodePoint(point))) items.push(escapeOf(form));
    }
    return items.join("");
  }

  private classCharacter(): string {
    if (this.peek() === "") throw new ExpressionError("missing closing ]");
    return this.take("\\") ? this.escaped() : this.next();
  }

  protected literal(character: string): string {
    const forms = this.forms(character).map(escapeOf);
    return forms.length === 1 ? (forms[0] ?? "") : `[${forms.join("")}]`;
  }

  /** A character and, with the flag i, its other form. */
  private forms(character: string): string[] {
    if (!this.flags.includes("i")) return [character];
    const forms = new Set([character, character.toLowerCase(), character.toUpperCase()]);
    return [...forms].filter((form) => [...form].length === 1);
  }
}
