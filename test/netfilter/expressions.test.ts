/** Writes rules as expressions of nf_tables and reads them, also those of iptables. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bits, type Family } from "../../src/net/ip.ts";
import { networkOf, type Prefix, parsePrefix } from "../../src/net/prefix.ts";
import { prefixLength } from "../../src/netfilter/extensions.ts";
import { encodeRule } from "../../src/netfilter/nftables/expressions.ts";
import { readRule } from "../../src/netfilter/nftables/read-rule.ts";
import {
  type AddressMatch,
  connectionState,
  exactly,
  MULTICAST,
  type Rule,
  ruleText,
} from "../../src/netfilter/rule.ts";
import type { Expression } from "../../src/netlink/nftables/expression.ts";
import { addRule, decodeRule } from "../../src/netlink/nftables/rule.ts";
import { readGolden, requestsOf } from "../golden/golden.ts";

const within = (prefix: Prefix): AddressMatch => ({ prefix, inverted: false });
const outside = (prefix: Prefix): AddressMatch => ({ prefix, inverted: true });
const prefix = (text: string): Prefix => {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};

const family = fc.constantFrom<Family>(4, 6);
const match = (version: Family): fc.Arbitrary<AddressMatch> =>
  fc
    .record({
      length: fc.integer({ min: 1, max: bits(version) }),
      value: fc.bigInt({ min: 0n, max: (1n << BigInt(bits(version))) - 1n }),
      inverted: fc.boolean(),
    })
    .map(({ length, value, inverted }) => ({
      prefix: networkOf({ address: { family: version, value }, length }),
      inverted,
    }));
const verdict: fc.Arbitrary<Pick<Rule, "verdict" | "target">> = fc.constantFrom(
  { verdict: "accept" },
  { verdict: "drop" },
  { verdict: "masquerade" },
  { verdict: "return" },
  { verdict: "continue" },
  { verdict: "jump", target: "CNI-x" },
  { verdict: "goto", target: "masq_checks" },
);
const ruleOf = (version: Family): fc.Arbitrary<Rule> =>
  fc
    .tuple(
      fc.record(
        {
          source: match(version),
          destination: match(version),
          input: fc.stringMatching(/^[a-z]{1,15}$/),
          output: fc.record({ name: fc.stringMatching(/^[a-z]{1,15}$/), inverted: fc.boolean() }),
          states: fc.integer({ min: 1, max: 0x1ff }),
          comment: fc.stringMatching(/^[ -~]{0,80}$/),
        },
        { requiredKeys: [] },
      ),
      verdict,
    )
    .map(([matches, verdict]) => ({ ...matches, ...verdict }));

const tables = { 4: "ip", 6: "ip6" } as const;
const read = (
  expressions: readonly Expression[],
  table: Parameters<typeof readRule>[1],
): Rule | undefined => {
  const { rule, isWhole } = readRule(expressions, table);
  return isWhole ? rule : undefined;
};

test("a written rule is read again", () => {
  fc.assert(
    fc.property(
      family.chain((version) => fc.tuple(fc.constant(version), ruleOf(version))),
      ([version, rule]) => {
        expect(read(encodeRule(rule, tables[version]), tables[version])).toEqual(rule);
        // In an inet table the rule itself contains its family.
        expect(read(encodeRule(rule, "inet"), "inet")).toEqual(rule);
      },
    ),
  );
});

const NAT_CHAINS = ["CNI-chain", "CNI-chain", "POSTROUTING"];
const FILTER_CHAINS = [
  ...Array(3).fill("CNI-FORWARD"),
  ...Array(2).fill("CNI-ISOLATION-STAGE-1"),
] as string[];

describe("B28, F7, F8: the rules of iptables-restore", () => {
  const rules = (name: string) =>
    requestsOf(readGolden("nftables", name))
      .filter(({ type }) => type === 0xa06)
      // The kernel would add a handle.
      .map((message) => ({
        ...message,
        payload: Uint8Array.of(...message.payload, 12, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      }));
  const comment = 'name: "net" id: "cid"';
  const expected = (subnet: string, address: string, version: Family): Rule[] => [
    { destination: within(prefix(subnet)), comment, verdict: "accept" },
    { destination: outside(MULTICAST[version]), comment, verdict: "masquerade" },
    { source: exactly(prefix(address).address), comment, verdict: "jump", target: "CNI-chain" },
  ];
  const note = { comment: "a note" };
  const filter = (address: string): Rule[] => [
    { destination: exactly(prefix(address).address), states: connectionState.answer, verdict: "accept" },
    { destination: exactly(prefix(address).address), states: connectionState.dnat, verdict: "accept" },
    { source: exactly(prefix(address).address), verdict: "accept" },
    { input: "br0", output: { name: "br0", inverted: false }, ...note, verdict: "drop" },
    { input: "br0", output: { name: "br0", inverted: true }, ...note, verdict: "return" },
  ];
  const cases = [
    { name: "iptables-restore-filter", version: 4, layout: filter("10.1.2.3/32") },
    { name: "iptables6-restore-filter", version: 6, layout: filter("fd00::3/128") },
    { name: "iptables-restore", version: 4, layout: expected("10.1.2.0/23", "10.1.2.3/32", 4) },
    { name: "iptables6-restore", version: 6, layout: expected("fd00::/60", "fd00::3/128", 6) },
  ] as const;

  test.each(cases)("$name is read", ({ name, version, layout }) => {
    const found = rules(name).map((message) => read(decodeRule(message).expressions, tables[version]));
    expect(found).toEqual(layout);
  });

  test.each(cases)("$name is written the same, to the last byte", ({ name, version, layout }) => {
    const isFilter = name.endsWith("-filter");
    const messages = requestsOf(readGolden("nftables", name)).filter(({ type }) => type === 0xa06);
    const ours = layout.map((rule, index) =>
      addRule({
        family: tables[version],
        table: isFilter ? "filter" : "nat",
        chain: (isFilter ? FILTER_CHAINS : NAT_CHAINS)[index] ?? "",
        expressions: encodeRule(rule, tables[version]),
        compat: { protocol: 0, flags: 0 },
      }),
    );
    for (const [index, message] of messages.entries()) {
      // Since 1.8.7 iptables-nft compares one byte for ff00::/8; we write a whole address and a mask, as it did before.
      if (name === "iptables6-restore" && index === 1) continue;
      expect(ours[index]?.payload.toHex()).toBe(message.payload.toHex());
    }
    expect(messages.length).toBe(layout.length);
  });
});

describe("M11, M15: the rules of port mappings", () => {
  const address = (text: string) => prefix(text).address;
  const golden = (name: string) =>
    requestsOf(readGolden("nftables", name)).filter(({ type }) => type === 0xa06);
  const withHandle = (message: ReturnType<typeof golden>[number]) => ({
    ...message,
    payload: Uint8Array.of(...message.payload, 12, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  });
  const iptables = (version: Family): Rule[] => {
    const source = within(prefix(version === 4 ? "10.1.2.0/23" : "fd00::/60"));
    const to = { address: address(version === 4 ? "10.1.2.3/32" : "fd00::3/128"), port: 80 };
    return [
      { isLocal: true, verdict: "jump", target: "CNI-chain" },
      { comment: "a mark", verdict: "mark", setMark: 0x2000 },
      { packetMark: 0x2000, verdict: "masquerade" },
      { protocol: "tcp", comment: "name", ports: [8080, 8082], verdict: "jump", target: "CNI-mark" },
      { source, protocol: "tcp", port: 8080, verdict: "jump", target: "CNI-mark" },
      { protocol: "udp", port: 8053, verdict: "dnat", to },
      { source, protocol: "sctp", port: 8081, verdict: "dnat", to },
    ];
  };
  test.each([
    ["iptables-restore-ports", 4],
    ["iptables6-restore-ports", 6],
  ] as const)("%s is read, and written with the same structures", (name, version) => {
    const messages = golden(name);
    const wanted = iptables(version);
    const decoded = messages.map((message) => decodeRule(withHandle(message)).expressions);
    expect(decoded.map((expressions) => read(expressions, tables[version]))).toEqual(wanted);
    const extensions = (expressions: readonly Expression[]) =>
      expressions.filter((each) => each.name === "match" || each.name === "target");
    for (const [index, rule] of wanted.entries()) {
      const ours = encodeRule(rule, tables[version]);
      expect(read(ours, tables[version])).toEqual(rule);
      // Since 1.8.9 iptables-nft writes ports of TCP and UDP, and marks, without extensions.
      const names = ["tcp", "udp", "mark"];
      expect(
        extensions(ours).filter((each) => !("extension" in each && names.includes(each.extension))),
      ).toEqual(extensions(decoded[index] ?? []));
    }
  });

  const local: Rule = { isLocal: true, verdict: "jump", target: "d" };
  const translated: Rule = {
    source: within(prefix("10.1.2.0/23")),
    destination: exactly(address("10.1.2.3/32")),
    states: connectionState.dnat,
    verdict: "masquerade",
  };
  const dnat: Rule = {
    destination: exactly(address("10.1.2.1/32")),
    protocol: "tcp",
    port: 8080,
    verdict: "dnat",
    to: { address: address("10.1.2.3/32"), port: 80 },
  };
  const dnat6: Rule = {
    protocol: "sctp",
    port: 8080,
    verdict: "dnat",
    to: { address: address("fd00::3/128"), port: 80 },
  };
  test.each([
    ["rule-add-dnat", "ip", dnat],
    ["rule-add-dnat6", "ip6", dnat6],
    ["rule-add-local", "ip", local],
    ["rule-add-translated", "ip", translated],
  ] as const)("%s is read, and written the same", (name, table, rule) => {
    const [message] = golden(name);
    if (message === undefined) throw new Error(name);
    const { expressions } = decodeRule(withHandle(message));
    expect(read(expressions, table)).toEqual(rule);
    const ours = encodeRule(rule, table, { isNative: true });
    expect(read(ours, table)).toEqual(rule);
    // nft compares the masked bits with a comparison of its own, and says the flags of nat.
    const plain = (list: readonly Expression[]) =>
      list.map((each) => (each.name === "nat" ? { ...each, flags: undefined } : each));
    expect(JSON.stringify(plain(ours))).toBe(JSON.stringify(plain(expressions)));
  });
});

describe("a rule is not read if it has", () => {
  const family6: Expression[] = [
    { name: "meta", key: 15, register: 1 },
    { name: "cmp", register: 1, operator: 0, value: Uint8Array.of(10) },
  ];
  const accept: Expression = { name: "immediate", register: 0, data: { verdict: "accept" } };
  const saddr: Expression = { name: "payload", register: 1, base: 1, offset: 12, length: 4 };
  const cmp = (operator = 0): Expression => ({
    name: "cmp",
    register: 1,
    operator,
    value: Uint8Array.of(10, 1, 2, 3),
  });
  /** DNAT, with one byte more. */
  const conntrack = (at: number, value = 1) => {
    const info = new Uint8Array(168);
    info.set([1, 0, 0, 0, 0x80], 146);
    info[at] = value;
    return { name: "match", extension: "conntrack", revision: 3, info } as const;
  };
  const cases: [string, Expression[]][] = [
    ["an interface's number", [{ name: "meta", key: 5, register: 1 }, cmp(), accept]],
    ["a prefix of outgoing interfaces", [{ name: "meta", key: 7, register: 1 }, cmp(), accept]],
    ["an inverted state", [conntrack(148), accept]],
    ["the state and a port of a connection", [conntrack(146, 5), accept]],
    ["another revision of conntrack", [{ ...conntrack(146, 1), revision: 2 }, accept]],
    ["a prefix of interface names", [{ name: "meta", key: 6, register: 1 }, cmp(), accept]],
    [
      "a port of another length",
      [{ name: "payload", register: 1, base: 2, offset: 2, length: 2 }, cmp(), accept],
    ],
    ["another byte of the header", [{ ...saddr, offset: 9, length: 1 } as Expression, cmp(), accept]],
    ["a comparison other than equal or not equal", [saddr, cmp(2), accept]],
    [
      "a mask with holes",
      [
        saddr,
        {
          name: "bitwise",
          source: 1,
          target: 1,
          mask: Uint8Array.of(255, 0, 255, 0),
          xor: new Uint8Array(4),
        },
        cmp(),
        accept,
      ],
    ],
    [
      "a mask that flips bits",
      [
        saddr,
        {
          name: "bitwise",
          source: 1,
          target: 1,
          mask: Uint8Array.of(255, 255, 255, 0),
          xor: Uint8Array.of(0, 0, 0, 1),
        },
        cmp(),
        accept,
      ],
    ],
    ["the source twice", [saddr, cmp(), saddr, cmp(), accept]],
    ["an expression after the verdict", [saddr, cmp(), accept, { name: "counter", packets: 0n, bytes: 0n }]],
    ["a break", [saddr, cmp(), { name: "immediate", register: 0, data: { verdict: "break" } }]],
    ["masquerading to random ports", [saddr, cmp(), { name: "masq", flags: 4 }]],
    [
      "MASQUERADE --random",
      [
        saddr,
        cmp(),
        { name: "target", extension: "MASQUERADE", revision: 0, info: Uint8Array.of(1, 0, 0, 0, 4, 0, 0, 0) },
      ],
    ],
    [
      "another target",
      [saddr, cmp(), { name: "target", extension: "SNAT", revision: 0, info: new Uint8Array(8) }],
    ],
    [
      "another match",
      [{ name: "match", extension: "conntrack", revision: 3, info: new Uint8Array(8) }, accept],
    ],
    ["an unknown expression", [{ name: "unknown", kind: "quota", data: undefined }, accept]],
    ["an inverted set lookup", [saddr, { name: "lookup", set: "s", register: 1, inverted: true }, accept]],
    ["a map", [saddr, { name: "lookup", set: "m", register: 1, target: 1 }, accept]],
    ["an empty register", [cmp(), accept]],
  ];
  test.each(cases)("%s", (_, expressions) => {
    expect(read(expressions, "ip")).toBeUndefined();
  });

  test("an address without a family, in a table of both families", () => {
    expect(read([saddr, cmp(), accept], "inet")).toBeUndefined();
    expect(read([...family6, saddr, cmp(), accept], "ip")).toBeUndefined();
  });

  test("none of these: the same rule without them is read", () => {
    expect(read([saddr, cmp(), accept], "ip")).toEqual({
      source: exactly(prefix("10.1.2.3/32").address),
      verdict: "accept",
    });
  });
});

test("the target and the interface are read from any rule", () => {
  const odd: Expression = { name: "unknown", kind: "quota", data: undefined };
  const { rule, isWhole } = readRule(
    [odd, ...encodeRule({ input: "veth1", verdict: "jump", target: "a" }, "bridge")],
    "bridge",
  );
  expect([rule.input, rule.target, isWhole]).toEqual(["veth1", "a", false]);
});

test("a spoof check's rules are read again", () => {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
  const rules: Rule[] = [
    { input: "veth1", verdict: "jump", target: "a" },
    { mac, verdict: "return" },
    { verdict: "drop" },
  ];
  for (const rule of rules) expect(read(encodeRule(rule, "bridge"), "bridge")).toEqual(rule);
});

test("rules have the text of iptables-save", () => {
  const texts: [Rule, string][] = [
    [{ verdict: "continue" }, ""],
    [{ source: within(prefix("0.0.0.0/0")), verdict: "accept" }, "-j ACCEPT"],
    [{ source: outside(prefix("10.0.0.0/8")), verdict: "return" }, "! -s 10.0.0.0/8 -j RETURN"],
    [{ comment: 'a "b" \\', verdict: "goto", target: "x" }, '-m comment --comment "a \\"b\\" \\\\" -g x'],
  ];
  for (const [rule, text] of texts) expect(ruleText(rule)).toBe(text);
});

test("the length of a mask", () => {
  expect(prefixLength(Uint8Array.of(255, 255, 254, 0))).toBe(23);
  expect(prefixLength(new Uint8Array(4))).toBe(0);
  expect(prefixLength(Uint8Array.of(255, 0, 255, 0))).toBeUndefined();
});
