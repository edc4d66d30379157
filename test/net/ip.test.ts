/**
 * Addresses against independent judges: node:net for what is an address, the URL parser for IPv6 in all its forms,
 * ip-cidr for numbers and texts.
 */
import { describe, expect, test } from "bun:test";
import { isIP } from "node:net";
import fc from "fast-check";
import IPCIDR from "ip-cidr";
import {
  formatIp,
  type IpAddress,
  ipFromBytes,
  ipToBytes,
  ipv4InBytes,
  isLoopback,
  parseIp,
  sameIp,
} from "../../src/net/ip.ts";

const { createAddress } = IPCIDR;

const ipv4 = fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((value): IpAddress => ({ family: 4, value }));
/** Random groups, zero and small ones often, so that "::" stands in all places. */
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  })
  .map(
    (groups): IpAddress => ({
      family: 6,
      value: groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n),
    }),
  )
  .filter(({ value }) => value >> 32n !== 0xffffn);
const address = fc.oneof(ipv4, ipv6);

/** An address without any abbreviation: four decimal numbers, or eight groups of four digits. */
function written({ family, value }: IpAddress): string {
  if (family === 6)
    return value
      .toString(16)
      .padStart(32, "0")
      .replace(/(.{4})(?!$)/g, "$1:");
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
}

/** Text that is nearly an address. */
const nearly = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEFg:.% /x-"), maxLength: 45 }),
  fc
    .tuple(address, fc.nat(45), fc.constantFrom("", "0", ":", ".", "g", " ", "%1", "::", "\n", "\0", "١"))
    .map(([value, at, inserted]) => {
      const text = formatIp(value);
      return text.slice(0, at) + inserted + text.slice(at + (at % 2));
    }),
);

describe("parseIp", () => {
  test("takes exactly what node:net takes, but for zones", () => {
    fc.assert(
      fc.property(fc.oneof(nearly, address.map(formatIp)), (text) => {
        const family = text.includes("%") ? 0 : isIP(text);
        const parsed = parseIp(text);
        if (family === 0) expect(parsed).toBeUndefined();
        else expect(parsed).toBeDefined();
        // An IPv4-mapped address becomes the IPv4 address.
        if (family === 4) expect(parsed?.family).toBe(4);
      }),
      { numRuns: 5000 },
    );
  });

  test("reads IPv6 as a URL does", () => {
    fc.assert(
      fc.property(fc.oneof(nearly, ipv6.map(formatIp)), (text) => {
        const parsed = parseIp(text);
        // With dotted numbers in it, the URL parser refuses valid addresses.
        if (parsed === undefined || !text.includes(":") || text.includes(".")) return;
        const judge = new URL(`http://[${text}]/`).hostname.slice(1, -1);
        const mapped = parsed.family === 4 ? 0xffff00000000n : 0n;
        expect(formatIp({ family: 6, value: parsed.value | mapped })).toBe(judge);
      }),
      { numRuns: 5000 },
    );
  });

  test("reads dotted numbers at the end as two groups", () => {
    fc.assert(
      fc.property(ipv6, ipv4, fc.boolean(), (long, short, gap) => {
        const [high, low] = [written(long).slice(0, 29), short.value.toString(16).padStart(8, "0")];
        const head = gap ? `${high.slice(0, 9)}:` : high;
        const groups = `${head}:${low.slice(0, 4)}:${low.slice(4)}`;
        expect(parseIp(`${head}:${written(short)}`)).toEqual(parseIp(groups) as IpAddress);
        expect(parseIp(groups)).toBeDefined();
      }),
    );
  });

  test("gives the number that ip-cidr gives", () => {
    fc.assert(
      fc.property(address, (value) => {
        expect(BigInt(createAddress(written(value)).bigInteger().toString())).toBe(value.value);
        expect(parseIp(written(value))).toEqual(value);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ["an empty text", ""],
    ["more dots than numbers", "1..."],
    ["leading zeros, which some read as octal", "010.0.0.1"],
    ["a zero too many", "1.2.3.00"],
    ["spaces", " 1.2.3.4"],
    ["a space behind", "1.2.3.4 "],
    ["a line feed behind", "1.2.3.4\n"],
    ["letters", "fe80::1g"],
    ["a zone", "fe80::1%eth0"],
    ["too large a number", "1.2.3.256"],
    ["three numbers", "1.2.3"],
    ["five numbers", "1.2.3.4.5"],
    ["a sign", "+1.2.3.4"],
    ["hexadecimal", "0x1.2.3.4"],
    ["one number", "16909060"],
    ["digits of another script", "١.2.3.4"],
    ["two gaps", "1::2::3"],
    ["three colons", "1:::2"],
    ["a gap of nothing", "1:2:3:4:5:6:7::8"],
    ["seven groups", "1:2:3:4:5:6:7"],
    ["nine groups", "1:2:3:4:5:6:7:8:9"],
    ["a lonely colon in front", ":1:2:3:4:5:6:7"],
    ["a lonely colon behind", "1:2:3:4:5:6:7:"],
    ["a group of five digits", "12345::"],
    ["dotted numbers in front", "1.2.3.4::"],
    ["dotted numbers in the middle", "::1.2.3.4:5"],
    ["dotted numbers with leading zeros", "::01.2.3.4"],
    ["dotted numbers as a ninth group", "1:2:3:4:5:6:7:1.2.3.4"],
    ["brackets", "[::1]"],
    ["a port", "1.2.3.4:80"],
    ["a prefix", "1.2.3.4/24"],
  ])("refuses %s", (_, text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

describe("ipv4InBytes", () => {
  const inBytes = (text: string) => ipv4InBytes(new TextEncoder().encode(`${text}\0rest`));
  const OTHERS = [
    "",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.04",
    "256.1.1.1",
    "1.2.3.999",
    "1..2.3",
    "1.2.3.4 ",
  ];

  test("H50: reads what parseIp reads as IPv4", () => {
    const octet = fc.oneof(fc.nat(300), fc.constantFrom("", "00", "01", "0", "255", "256", "1a"));
    const anyText = fc.oneof(
      fc.array(octet, { minLength: 3, maxLength: 5 }).map((octets) => octets.join(".")),
      fc.constantFrom(
        ...OTHERS,
        "lock",
        "last_reserved_ip.0",
        "::ffff:1.2.3.4",
        "0.0.0.0",
        "255.255.255.255",
      ),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        const parsed = text.includes(":") ? undefined : parseIp(text);
        expect(inBytes(text)).toBe(parsed === undefined ? -1 : Number(parsed.value));
      }),
    );
  });
});

describe("formatIp", () => {
  test("is read back, in either case", () => {
    fc.assert(
      fc.property(address, (value) => {
        expect(parseIp(formatIp(value))).toEqual(value);
        expect(parseIp(formatIp(value).toUpperCase())).toEqual(value);
      }),
    );
  });

  test("says what ip-cidr says", () => {
    fc.assert(
      fc.property(address, (value) => {
        expect(formatIp(value)).toBe(createAddress(written(value)).correctForm());
      }),
      { numRuns: 2000 },
    );
  });

  // The addresses that RFC 5952 discusses, with their recommended form.
  test.each([
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:AAAA", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["::192.0.2.33", "::c000:221"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::ffff:192.0.2.33", "192.0.2.33"],
  ])("%s is written %s", (text, canonical) => {
    const parsed = parseIp(text);
    expect(parsed && formatIp(parsed)).toBe(canonical);
  });
});

describe("bytes", () => {
  test("there and back, in network order", () => {
    fc.assert(
      fc.property(address, (value) => {
        const bytes = ipToBytes(value);
        expect(bytes.length).toBe(value.family === 4 ? 4 : 16);
        expect(BigInt(`0x${bytes.toHex()}`)).toBe(value.value);
        expect(ipFromBytes(bytes)).toEqual(value);
      }),
    );
  });

  test("a mapped address stays IPv6, other lengths are no address", () => {
    expect(ipFromBytes(Uint8Array.fromHex("00000000000000000000ffff0a000001"))).toEqual({
      family: 6,
      value: 0xffff0a000001n,
    });
    for (const length of [0, 3, 5, 15, 17]) expect(ipFromBytes(new Uint8Array(length))).toBeUndefined();
  });
});

test("sameIp compares the family, too", () => {
  expect(sameIp({ family: 4, value: 1n }, { family: 4, value: 1n })).toBe(true);
  expect(sameIp({ family: 4, value: 1n }, { family: 6, value: 1n })).toBe(false);
  expect(sameIp({ family: 4, value: 1n }, { family: 4, value: 2n })).toBe(false);
});

test("isLoopback", () => {
  const loopback = (text: string) => isLoopback(parseIp(text) ?? { family: 4, value: 0n });
  for (const text of ["127.0.0.1", "127.0.0.0", "127.255.255.255", "::1", "::ffff:127.0.0.1"])
    expect([text, loopback(text)]).toEqual([text, true]);
  for (const text of ["126.255.255.255", "128.0.0.0", "::", "::2", "::7f00:1", "1::1"])
    expect([text, loopback(text)]).toEqual([text, false]);
});
