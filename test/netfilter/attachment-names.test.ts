/** Names and comments; the digests are sha512sum's. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isIdentifier } from "../../src/cni/identifier.ts";
import {
  attachmentMark,
  iptablesChain,
  iptablesComment,
  markerComment,
  mayBeOf,
  networkMark,
  nftablesComment,
  parseIptablesComment,
  parseMarker,
  spoofCheckNames,
} from "../../src/netfilter/attachment-names.ts";

/** A container's id or a network's name. */
const identifier = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom("a", "Z", "0"),
      fc.string({ unit: fc.constantFrom(..."abz09_.-"), maxLength: maxLength - 1, size: "max" }),
    )
    .map(([first, rest]) => first + rest);

const attachment = { network: "mybridge", containerId: "1234567890", ifname: "eth12" };

describe("B28: iptables", () => {
  test("the chain's name is made of network and container, in 28 characters", () => {
    // printf mybridge1234567890 | sha512sum
    expect(iptablesChain(attachment)).toBe("CNI-26633426ea992aa1f0477097");
    expect(iptablesChain(attachment).length).toBe(28);
    // K3: the names are joined without a separator.
    expect(iptablesChain({ network: "mybridge1", containerId: "234567890" })).toBe(iptablesChain(attachment));
  });

  test("the comment names network and container, and is read again", () => {
    expect(iptablesComment(attachment)).toBe('name: "mybridge" id: "1234567890"');
    expect(parseIptablesComment(iptablesComment(attachment))).toEqual({
      network: "mybridge",
      containerId: "1234567890",
    });
    for (const other of [undefined, "", "kubernetes postrouting rules", 'name: "a" id: "b" if: "c"']) {
      expect(parseIptablesComment(other)).toBeUndefined();
    }
  });
});

describe("K2: comments as iptables cuts them", () => {
  const container = fc.record({ network: identifier(300), containerId: identifier(300) });

  test("a comment has at most 255 bytes, and a cut one still names what is whole", () => {
    fc.assert(
      fc.property(container, ({ network, containerId }) => {
        const whole = `name: "${network}" id: "${containerId}"`;
        const comment = iptablesComment({ network, containerId });
        expect(comment).toBe(whole.slice(0, 255));
        expect(parseIptablesComment(comment)).toEqual({
          network: network.length <= 247 ? network : undefined,
          containerId: whole.length <= 255 ? containerId : undefined,
        });
      }),
      { numRuns: 300 },
    );
  });

  test("an incomplete text that iptables did not cut is not such a comment", () => {
    for (const length of [0, 5, 7, 10, 20, 30]) {
      const text = 'name: "mybridge" id: "1234567890"'.slice(0, length);
      expect([text, parseIptablesComment(text)]).toEqual([text, undefined]);
    }
    expect(parseIptablesComment(`name: "a" id: "b" if: "${"c".repeat(231)}"`)).toBeUndefined();
    expect(parseIptablesComment(`dnat name: "a" id: "${"b".repeat(235)}`)).toBeUndefined();
  });

  test("K3: a marker rule names its attachment, whatever its names are", () => {
    const ifname = fc.string({ unit: "binary", minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(container, container, ifname, ifname, (one, two, ifname, other) => {
        const [a, b] = [
          { ...one, ifname },
          { ...two, ifname: other },
        ];
        expect(new TextEncoder().encode(markerComment(a)).length).toBeLessThanOrEqual(255);
        const read = parseMarker(markerComment(a));
        expect(read).toEqual({ mark: attachmentMark(a), ifname });
        if (read === undefined) return;
        expect(mayBeOf(read, iptablesComment(a))).toBe(true);
        const sameComment = iptablesComment(a) === iptablesComment(b);
        if (!sameComment && two.network.length <= 247) expect(mayBeOf(read, iptablesComment(b))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  test("the time for the longest names grows linearly", () => {
    // The longest text that execve(2) accepts: quadratic code would not end here.
    const containerId = "a".repeat(131_055);
    const long = { network: "n".repeat(255), containerId, ifname: "eth0" };
    expect(iptablesComment(long).length).toBe(255);
    expect(nftablesComment(long).length).toBe(128);
    expect(parseMarker(markerComment(long))).toEqual({ mark: attachmentMark(long), ifname: "eth0" });
    expect(iptablesChain(long).length).toBe(28);
  });
});

describe("B29: nftables", () => {
  test("the comment begins with digests of the network, and of interface and container", () => {
    // printf mybridge | sha512sum; printf eth12:1234567890 | sha512sum
    expect(networkMark("mybridge")).toBe("6c7c6497465b641a-");
    expect(attachmentMark(attachment)).toBe("6c7c6497465b641a-dfc628d3b344bdb0");
    expect(nftablesComment(attachment)).toBe(
      "6c7c6497465b641a-dfc628d3b344bdb0, net: mybridge, if: eth12, id: 1234567890",
    );
  });

  test("it has at most 128 bytes, and no quotation marks", () => {
    const long = nftablesComment({ ...attachment, containerId: "0".repeat(200) });
    expect(long.length).toBe(128);
    expect(long).toStartWith("6c7c6497465b641a-");
    const bytes = new TextEncoder().encode(nftablesComment({ ...attachment, network: "ä".repeat(60) }));
    expect(bytes.length).toBeLessThanOrEqual(128);
    expect(new TextDecoder("utf-8", { fatal: true }).decode(bytes)).toContain("ä");
    expect(nftablesComment({ ...attachment, ifname: 'e"0' })).toContain("if: e0,");
  });
});

describe("B17: spoof checks", () => {
  test("the reference's names, of container and interface alone, are first; our own names follow", () => {
    expect(spoofCheckNames(attachment)).toEqual([
      { chain: "cni-br-iface-1234567890-eth12", comment: "macspoofchk-1234567890-eth12" },
      {
        chain: "cni-br-iface-_6c7c6497465b641a-dfc628d3b344bdb0",
        comment: "macspoofchk-_6c7c6497465b641a-dfc628d3b344bdb0, net: mybridge, if: eth12, id: 1234567890",
      },
    ]);
    // K3: so our names never equal the reference's names of another attachment.
    expect(isIdentifier("_6c7c6497465b641a")).toBe(false);
  });

  test("K2: the reference's names are not used if the second chain's name has more than the kernel's 255 bytes", () => {
    const longest = { ...attachment, containerId: "c".repeat(232) };
    // Not cut: the reference finds its rules by the whole comment.
    expect(spoofCheckNames(longest)[0]?.comment).toBe(`macspoofchk-${longest.containerId}-eth12`);
    expect(spoofCheckNames(longest).map(({ chain }) => chain.length)).toEqual([251, 47]);
    expect(spoofCheckNames({ ...longest, ifname: "éth12" })).toHaveLength(1);
    expect(spoofCheckNames({ ...attachment, containerId: "c".repeat(233) })).toHaveLength(1);
    const [long] = spoofCheckNames({
      network: "n".repeat(255),
      containerId: "c".repeat(131_055),
      ifname: "e",
    });
    expect([long?.chain.length, long?.comment.length]).toEqual([47, 128]);
  });
});
