/** Decodes tables of x_tables that were captured from the kernel; the heads of the goldens list their rules. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Family } from "../../src/net/ip.ts";
import { decodeEntries, decodeInfo, INFO_LENGTH } from "../../src/netfilter/iptables/legacy-entries.ts";
import { ruleText } from "../../src/netfilter/rule.ts";
import { DecodeError } from "../../src/netlink/error.ts";

function golden(family: Family, table: string): { head: string[]; bytes: Uint8Array } {
  const lines = readFileSync(join(import.meta.dir, "golden", `legacy-${table}-v${family}.hex`), "utf8").split(
    "\n",
  );
  const head = lines.filter((line) => line.startsWith("# ")).map((line) => line.slice(2));
  return { head, bytes: Uint8Array.fromHex(lines.filter((line) => !line.startsWith("#")).join("")) };
}

const decode = (bytes: Uint8Array, family: Family) =>
  decodeEntries(bytes.subarray(INFO_LENGTH), decodeInfo(bytes.subarray(0, INFO_LENGTH)), family);

describe.each([4, 6] as const)("family %d", (family) => {
  const { head, bytes } = golden(family, "nat");
  const { chains } = decode(bytes, family);
  /** The chain's lines of the head as iptables-save writes them: with the prefix length of a single address. */
  const written = (chain: string): string[] =>
    head
      .filter((line) => line.startsWith(`-A ${chain} `))
      .map((line) => line.slice(`-A ${chain} `.length))
      .map((line) =>
        line.replace(/^-s ([^\s/]+) /, (_, address) => `-s ${address}/${family === 4 ? 32 : 128} `),
      );

  test("all chains", () => {
    const builtIn = ["INPUT", "OTHER", "OUTPUT", "PORTS", "POSTROUTING", "PREROUTING"];
    expect([...chains.keys()].sort()).toEqual(["CNI-chain", "EMPTY", ...builtIn]);
    expect(chains.get("PREROUTING")?.map(({ target }) => target)).toEqual(["OTHER"]);
    expect(chains.get("EMPTY")).toEqual([]);
  });

  test("rules of B28 have the text of iptables-save", () => {
    const texts = (chain: string) => chains.get(chain)?.map(({ rule }) => rule && ruleText(rule));
    expect(texts("CNI-chain")).toEqual(written("CNI-chain"));
    expect(texts("POSTROUTING")?.[0]).toBe(written("POSTROUTING")[0]);
    expect(texts("OTHER")).toEqual(["-j ACCEPT"]);
  });

  test("rules of other programs are not read as ours", () => {
    const rules = chains.get("POSTROUTING");
    expect(rules?.length).toBe(5);
    expect(rules?.[1]?.rule?.output).toEqual({ name: "lo", inverted: false });
    // Random ports; a plain rule; a mark that is not its own mask.
    expect(rules?.[2]?.rule).toBeUndefined();
    expect(rules?.[3]?.rule).toEqual({ verdict: "return" });
    expect(rules?.[4]?.rule).toBeUndefined();
  });

  test("M11: rules of port mappings have the text of iptables-save", () => {
    const texts = (chain: string) => chains.get(chain)?.map(({ rule }) => rule && ruleText(rule));
    expect(texts("OUTPUT")).toEqual(written("OUTPUT"));
    const ports = written("PORTS");
    expect(texts("PORTS")).toEqual([...ports.slice(0, -1), undefined]);
    // A range of ports: what of the rule can be read is known all the same.
    expect(chains.get("PORTS")?.at(-1)?.part).toMatchObject({ protocol: "udp", target: "OTHER" });
  });

  test("F7, F8: the filter table with its policies", () => {
    const { head, bytes } = golden(family, "filter");
    const { chains, dropping } = decode(bytes, family);
    expect([...dropping]).toEqual(["FORWARD"]);
    const texts = (chain: string) => chains.get(chain)?.map(({ rule }) => rule && ruleText(rule));
    const lines = (chain: string) =>
      head
        .flatMap((line) => line.match(`^-A ${chain} (.*)$`)?.[1] ?? [])
        .map((line) =>
          line.replace(/^(-[sd] \S+) /, (_, address) => `${address}/${family === 4 ? 32 : 128} `),
        );
    expect(texts("FORWARD")).toEqual(lines("FORWARD"));
    expect(texts("INPUT")).toEqual(["-j ACCEPT"]);
    expect(texts("CNI-FORWARD")?.slice(0, 4)).toEqual(lines("CNI-FORWARD").slice(0, 4));
    // The beginning of a name, another input, and an inverted state are not read.
    expect(texts("CNI-FORWARD")?.slice(4)).toEqual([undefined, undefined, undefined]);
  });

  test("invalid bytes cause a DecodeError", () => {
    const broken = bytes.slice();
    // The second entry claims to have no length.
    const entry = family === 4 ? 112 + 40 : 168 + 40;
    broken.fill(0, INFO_LENGTH + entry, INFO_LENGTH + entry + 160);
    expect(() => decode(broken, family)).toThrow(DecodeError);
    expect(() => decode(bytes.subarray(0, bytes.length - 8), family)).toThrow();
  });
});
