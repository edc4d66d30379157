/**
 * A kernel with x_tables, and nf_tables for bridges only: iptables-legacy is all that works there, be it the host's own
 * iptables or not (B27, B28). macspoofchk works all the same (B17).
 */
import { describe, expect } from "bun:test";
import { CniError, code } from "../../../src/cni/error.ts";
import { iptablesChain } from "../../../src/netfilter/attachment-names.ts";
import { iptablesRules } from "../../kernel/netfilter/listings.ts";
import { masquerade, spoofCheck } from "../../kernel/netfilter/modules.ts";
import { prefixes } from "../../kernel/netfilter/prefixes.ts";
import { Programs } from "../../kernel/netfilter/programs.ts";
import { hostTest } from "../../support/host-test.ts";

const ATTACHMENT = { network: "net1", containerId: "c1", ifname: "eth0" };
const ADDRESSES = prefixes("10.1.2.3/24", "fd00:2::3/64");

const rules = async (): Promise<string[]> => [
  ...(await iptablesRules("iptables-legacy")),
  ...(await iptablesRules("ip6tables-legacy")),
];

const chain = iptablesChain(ATTACHMENT);
const comment = '-m comment --comment "name: \\"net1\\" id: \\"c1\\""';
const EXPECTED = [
  `:${chain} -`,
  `-A POSTROUTING -s 10.1.2.3/32 ${comment} -j ${chain}`,
  `-A ${chain} -d 10.1.2.0/24 ${comment} -j ACCEPT`,
  `-A ${chain} ! -d 224.0.0.0/4 ${comment} -j MASQUERADE`,
  `:${chain} -`,
  `-A POSTROUTING -s fd00:2::3/128 ${comment} -j ${chain}`,
  `-A ${chain} -d fd00:2::/64 ${comment} -j ACCEPT`,
  `-A ${chain} ! -d ff00::/8 ${comment} -j MASQUERADE`,
];

describe.each([
  ["iptables is iptables-nft, with iptables-legacy beside it", false],
  ["iptables is iptables-legacy", true],
])("%s", (_, legacy) => {
  hostTest("ADD, CHECK, ADD again, DEL, DEL again", async () => {
    await using programs = await Programs.replace();
    for (const name of legacy ? ["iptables", "ip6tables"] : [])
      programs.link(`${name}-restore`, `/usr/sbin/${name}-legacy-restore`);
    await masquerade.requireUsable(undefined);
    await masquerade.setUp(undefined, ATTACHMENT, ADDRESSES);
    const once = await rules();
    expect(once.filter((line) => !line.includes("if: "))).toEqual(EXPECTED);
    await masquerade.check(undefined, ATTACHMENT, ADDRESSES);
    await masquerade.setUp(undefined, ATTACHMENT, ADDRESSES);
    expect(await rules()).toEqual(once);
    await masquerade.tearDown(ATTACHMENT);
    await masquerade.tearDown(ATTACHMENT);
    expect(await rules()).toEqual([]);
  });
});

hostTest("nftables was asked for: the error names what the kernel lacks", async () => {
  for (const attempt of [
    () => masquerade.requireUsable("nftables"),
    () => masquerade.setUp("nftables", ATTACHMENT, ADDRESSES),
  ]) {
    const error: unknown = await attempt().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(CniError);
    expect([code.notAvailable, code.internal] as number[]).toContain((error as CniError).code);
    expect((error as CniError).message).toStartWith(
      "cannot masquerade with nftables: cannot add table inet cni_plugins_masquerade: operation not supported (EOPNOTSUPP); load the kernel modules",
    );
  }
});

hostTest("B17: a spoof check is set up, checked and removed", async () => {
  await spoofCheck.setUp(ATTACHMENT, "veth1", "02:00:00:00:00:01");
  await spoofCheck.check(ATTACHMENT, "veth1", "02:00:00:00:00:01");
  await spoofCheck.tearDown(ATTACHMENT);
});
