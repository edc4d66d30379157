/** Names and comments; the digests are sha512sum's. */
import { describe, expect, test } from "bun:test";
import {
  attachmentMark,
  iptablesChain,
  iptablesComment,
  networkMark,
  nftablesComment,
  parseIptablesComment,
  spoofCheckChain,
  spoofCheckComment,
} from "../../src/netfilter/owner.ts";

const owner = { network: "mybridge", containerId: "1234567890", ifname: "eth12" };

describe("B28: iptables", () => {
  test("the chain is named by network and container, in 28 characters", () => {
    // printf mybridge1234567890 | sha512sum
    expect(iptablesChain(owner)).toBe("CNI-26633426ea992aa1f0477097");
    expect(iptablesChain(owner).length).toBe(28);
    expect(iptablesChain({ ...owner, ifname: "eth0" })).toBe(iptablesChain(owner));
  });

  test("the comment names network and container, and is read again", () => {
    expect(iptablesComment(owner)).toBe('name: "mybridge" id: "1234567890"');
    expect(parseIptablesComment(iptablesComment(owner))).toEqual({
      network: "mybridge",
      containerId: "1234567890",
    });
    for (const other of [undefined, "", "kubernetes postrouting rules", 'name: "a" id: "b" if: "c"']) {
      expect(parseIptablesComment(other)).toBeUndefined();
    }
  });
});

describe("B29: nftables", () => {
  test("the comment begins with digests of the network, and of interface and container", () => {
    // printf mybridge | sha512sum; printf eth12:1234567890 | sha512sum
    expect(networkMark("mybridge")).toBe("6c7c6497465b641a-");
    expect(attachmentMark(owner)).toBe("6c7c6497465b641a-dfc628d3b344bdb0");
    expect(nftablesComment(owner)).toBe(
      "6c7c6497465b641a-dfc628d3b344bdb0, net: mybridge, if: eth12, id: 1234567890",
    );
  });

  test("it has at most 128 bytes, and no quotation marks", () => {
    const long = nftablesComment({ ...owner, containerId: "0".repeat(200) });
    expect(long.length).toBe(128);
    expect(long).toStartWith("6c7c6497465b641a-");
    const bytes = new TextEncoder().encode(nftablesComment({ ...owner, network: "ä".repeat(60) }));
    expect(bytes.length).toBeLessThanOrEqual(128);
    expect(new TextDecoder("utf-8", { fatal: true }).decode(bytes)).toContain("ä");
    expect(nftablesComment({ ...owner, ifname: 'e"0' })).toContain("if: e0,");
  });
});

test("B17: a spoof check is named by container and interface, not by the network", () => {
  expect(spoofCheckChain(owner)).toBe("cni-br-iface-1234567890-eth12");
  expect(spoofCheckComment(owner)).toBe("macspoofchk-1234567890-eth12");
  expect(spoofCheckComment({ containerId: "0".repeat(200), ifname: "eth0" }).length).toBe(128);
});
