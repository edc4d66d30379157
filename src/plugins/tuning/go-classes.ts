/** Classes of characters of Go's regular expressions, as the items of a class of JavaScript without its brackets. */

/** Those of Perl, as in "\\d". White space has no vertical tab. */
const PERL: Readonly<Record<string, string>> = {
  d: "0-9",
  D: "\\0-\\/:-\\u{10ffff}",
  s: "\\t\\n\\f\\r ",
  S: "\\0-\\x08\\x0b\\x0e-\\x1f!-\\u{10ffff}",
  w: "0-9A-Z_a-z",
  W: "\\0-\\/:-@\\[-\\^`\\{-\\u{10ffff}",
};
/** Those of POSIX, as in "[:alpha:]". */
const POSIX: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\0-\\x7f",
  blank: "\\t ",
  cntrl: "\\0-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@\\[-`\\{-~",
  space: "\\t-\\r ",
  upper: "A-Z",
  word: "0-9A-Z_a-z",
  xdigit: "0-9A-Fa-f",
};

/** A character that has no meaning of its own. */
export const escapeOf = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** The items of a class that has all other characters. */
function complement(items: string): string {
  const inverse = new RegExp(`[^${items}]`, "u");
  let found = "\\x80-\\u{10ffff}";
  // The classes of POSIX are of ASCII.
  for (let point = 0; point < 0x80; point++) {
    const character = String.fromCodePoint(point);
    if (inverse.test(character)) found += escapeOf(character);
  }
  return found;
}

/** The class of Perl with this letter. */
export const perlClass = (letter: string): string | undefined => PERL[letter];

/** The class of POSIX with this name, or its inverse. With the flag i lower and upper case are one. */
export function posixClass(name: string, isInverse: boolean, ignoresCase: boolean): string | undefined {
  const items = ignoresCase && /^(lower|upper)$/.test(name) ? POSIX.alpha : POSIX[name];
  return items === undefined || !isInverse ? items : complement(items);
}

/** The class of a category of Unicode (L, Lu, Any) or of a script (Greek), or its inverse. */
export function unicodeClass(name: string, isInverse: boolean, ignoresCase: boolean): string | undefined {
  // JavaScript also knows scripts by codes of four letters, as Grek.
  if (name.length === 4 && !/^(Ahom|Cham|Kawi|Lisu|Thai|Toto)$/.test(name)) return undefined;
  // LC is all letters that have a case.
  const category = ignoresCase && /^L[ltu]$/.test(name) ? "LC" : name;
  const property = /^[A-Z][A-Za-z]?$|^Any$/.test(category) ? category : `Script=${name}`;
  const items = `\\${isInverse ? "P" : "p"}{${property}}`;
  try {
    new RegExp(items, "u");
    return items;
  } catch {
    return undefined;
  }
}
