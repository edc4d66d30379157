/** T38: the allowlist's expressions are Go's, and what Go refuses is refused. The table was measured with Go's regexp. */
import { expect, test } from "bun:test";
import { ExpressionError } from "../../../src/plugins/tuning/go-characters.ts";
import { compileGo } from "../../../src/plugins/tuning/go-expression.ts";
import { rows } from "../../support/rows.ts";

const NAMES = {
  arp: "net.ipv4.conf.IFNAME.arp_filter",
  e2: "net.ipv6.conf.IFNAME.e2",
  core: "net.core",
} as const;

const TABLE = rows<[string, string]>(String.raw`
    ^net\.ipv4\.conf\.IFNAME\.arp_filter$ => arp
    net.ipv4 => arp
    ^net\.ipv4\.conf\.[a-z]+\. => none
    ^[^.]*$ => none
    ^[^.]+\.ipv6 => e2
    ^net\.(ipv4|ipv6)\. => arp e2
    arp_(filter|notify)$ => arp
    (?i)ifname => arp e2
    (?i:IPV4)\.conf => arp
    (?i)[J-L] => arp
    ^net(?i)\.IPV4 => arp
    ^(?-i:net) => arp e2 core
    ^(?s:.)et => arp e2 core
    (?U)^n.*4 => arp
    ^net\.ipv4\.\w+$ => none
    \bipv4\b => arp
    \Bpv4 => arp
    \Anet => arp e2 core
    \Aipv4 => none
    e2\z => e2
    e2\Z => refused: invalid escape sequence
    ^\Qnet.ipv4\E\. => arp
    \Q.*\E => none
    ^\x6eet => arp e2 core
    ^\x{6E}et => arp e2 core
    ^\156et => arp e2 core
    \16\x => refused: invalid escape sequence
    \1 => refused: invalid escape sequence
    \x4 => refused: invalid escape sequence
    \x{110000} => refused: invalid escape sequence
    \_f => arp
    \# => none
    \q => refused: invalid escape sequence
    \C => refused: invalid escape sequence
    \pL{6} => arp e2
    \p{Lu}{2} => arp e2
    \P{L}2 => none
    (?i)\p{Lu}{6} => arp e2
    \p{Greek} => none
    \p{Grek} => refused: invalid character class range
    \p{Nonsense} => refused: invalid character class range
    [[:upper:]]{6} => arp e2
    [[:^alpha:][:upper:]]{7} => arp e2
    [[:nonsense:]] => refused: invalid character class range
    [[:upper:] => refused: missing closing ]
    []a] => arp
    [^]a-z.] => arp e2
    [a-] => arp
    [a\-z] => arp
    [a-\d] => refused: invalid escape sequence
    [z-a] => refused: invalid character class range
    [\d_]f => arp
    [\W]conf => arp e2
    ^(?P<first>net)\. => arp e2 core
    ^(?<first>net)\. => arp e2 core
    (?P<a>x)(?P<a>y) => none
    (?P<>x) => refused: invalid named capture
    (?P=first) => refused: invalid or unsupported Perl syntax
    (?=net) => refused: invalid or unsupported Perl syntax
    (?!net) => refused: invalid or unsupported Perl syntax
    (?<=net) => refused: invalid named capture
    (?#net) => refused: invalid or unsupported Perl syntax
    (?z)net => refused: invalid or unsupported Perl syntax
    (?i-)net => refused: invalid or unsupported Perl syntax
    ^.{3}\. => arp e2 core
    ^.{3,}$ => arp e2 core
    ^.{2,4}\. => arp e2 core
    ^.{,3}\. => none
    ^n{2} => none
    .{1001} => refused: invalid repeat count
    (.{100}){11} => refused: invalid repeat count
    (.{10}){100}net => none
    .{3,2} => refused: invalid repeat count
    e{01} => none
    a{2 => none
    a** => refused: invalid nested repetition operator
    a*?* => refused: invalid nested repetition operator
    a+* => refused: invalid nested repetition operator
    (a*)* => arp e2 core
    (?i)* => refused: missing argument to repetition operator
    ^*net => arp e2 core
    *net => refused: missing argument to repetition operator
    + => refused: missing argument to repetition operator
    |* => refused: missing argument to repetition operator
    a||b => arp e2 core
    () => arp e2 core
    ( => refused: missing closing )
    ) => refused: unexpected )
    (net => refused: missing closing )
    net) => refused: unexpected )
    [ => refused: missing closing ]
    net\ => refused: trailing backslash at end of expression
    net$ipv4 => none
    (?m)^net$ => none
    net.*(conf|core) => arp e2 core
`);

/** The short names of what an expression matches, or why it is refused. */
function outcome(expression: string): string {
  let compiled: RegExp;
  try {
    compiled = compileGo(expression);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return `refused: ${error.message.replace(/: .*/s, "")}`;
  }
  const matching = Object.entries(NAMES).filter(([, name]) => compiled.test(name));
  return matching.map(([short]) => short).join(" ") || "none";
}

test.each(TABLE)("T38: %s => %s", (expression, expected) => {
  expect(outcome(expression)).toBe(expected);
});

test("T38: each nesting has an end, and each expression compiles or is refused", () => {
  expect(outcome(`${"(".repeat(1001)}net${")".repeat(1001)}`)).toBe("refused: expression nests too deeply");
  expect(outcome(`${"(".repeat(900)}net${")".repeat(900)}`)).toBe("arp e2 core");
});
