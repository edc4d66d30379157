/** The administrator's list of sysctls, in a copy of /etc that each call has for itself. */
import { expect } from "bun:test";
import { hostTest } from "../../support/host-test.ts";
import { withAllowlist, withPrivateEtc } from "../../support/private-etc.ts";
import { prepare } from "./tuned.ts";

const sysctl = { "net.ipv4.conf.IFNAME.arp_filter": "1", "net/core/somaxconn": "77" };
const NAMES = ["ipv4/conf/eth0/arp_filter", "core/somaxconn"];
const BOTH = [String.raw`^net\.ipv4\.conf\.IFNAME\.arp_filter$`, String.raw`^net\.core\.`];
const FILE = "/etc/cni/tuning/allowlist.conf";

hostTest.each([
  ["all lines", BOTH],
  ["T7: not anchored", ["arp", "max"]],
  ["T38: comments, empty lines and white space", ["# net", "", "  \t", ...BOTH.map((line) => `  ${line}\t`)]],
  ["T38: Go's syntax", ["(?i)NET[[:punct:]](?:ipv4|core)"]],
  ["T38: a wrong line behind those that match", [...BOTH, "("]],
] as [string, string[]][])("allowed by %s", async (host, _what, lines) => {
  const one = await prepare(host);
  expect(`${await one.call("ADD", { sysctl }, {}, withAllowlist(lines))}`).toStartWith("exit code 0");
  expect(await one.sysctls(...NAMES)).toBe("1 77");
});

const only = (list: string) =>
  `is not allowed. Only the following sysctls are allowed: [${list}]; take it out, or add`;

hostTest.each([
  [
    "one of two",
    BOTH.slice(0, 1),
    `Sysctl net/core/somaxconn ${only(BOTH[0] ?? "")} a line that matches "net.core.somaxconn" to ${FILE}`,
  ],
  [
    "the interface's own name",
    [String.raw`conf\.eth0\.`, BOTH[1] ?? ""],
    "Sysctl net.ipv4.conf.IFNAME.arp_filter is not allowed. ",
  ],
  [
    "T38: a key with slashes is compared with dots",
    ["^[^.]*$", BOTH[0] ?? ""],
    "Sysctl net/core/somaxconn is not allowed. ",
  ],
  [
    "T7: an empty file",
    [],
    `Sysctl net.ipv4.conf.IFNAME.arp_filter is not allowed. ${FILE} allows none; take it out, or add`,
  ],
  [
    "T38: comments alone",
    ["#.*"],
    `Sysctl net.ipv4.conf.IFNAME.arp_filter is not allowed. ${FILE} allows none; `,
  ],
  [
    "T38: a wrong line before those that match",
    ["# first", "net(", ...BOTH],
    `cannot use line 2 of ${FILE}: error parsing regexp: missing closing ): net(; "net(" is not a regular expression of Go`,
  ],
  [
    "T38: what only JavaScript knows",
    ["(?=net)"],
    `cannot use line 1 of ${FILE}: error parsing regexp: invalid or unsupported Perl syntax`,
  ],
] as [string, string[], string][])(
  "refused before anything is changed, T40: and by STATUS: %s",
  async (host, _what, lines, message) => {
    const one = await prepare(host);
    const before = await one.sysctls(...NAMES);
    const { code, msg } = await one.failure("ADD", { sysctl, mtu: 1400 }, {}, withAllowlist(lines));
    expect([code, msg.slice(0, message.length)]).toEqual([7, message]);
    expect(await one.sysctls(...NAMES)).toBe(before);
    expect((await one.shown()).mtu).toBe(1500);
    const status = await one.failure("STATUS", { sysctl }, {}, withAllowlist(lines));
    expect([status.code, status.msg]).toEqual([50, msg]);
  },
);

hostTest("T40: STATUS verifies each line, but only for networks with sysctls", async (host) => {
  const one = await prepare(host);
  const wrong = withAllowlist([...BOTH, "("]);
  const { code, msg } = await one.failure("STATUS", { sysctl }, {}, wrong);
  expect([code, msg]).toEqual([50, expect.stringContaining(`cannot use line 3 of ${FILE}`)]);
  expect(`${await one.call("STATUS", { mtu: 1400 }, {}, wrong)}`).toStartWith("exit code 0");
  expect(`${await one.call("STATUS", { sysctl }, {}, withAllowlist(BOTH))}`).toStartWith("exit code 0");
  expect(`${await one.call("STATUS", { sysctl }, {}, withPrivateEtc("rm -rf /etc/cni"))}`).toStartWith(
    "exit code 0",
  );
  expect((await one.failure("STATUS", { sysctl: { "kernel.x": "1" } })).code).toBe(7);
  const folder = withPrivateEtc(`mkdir -p ${FILE}`);
  expect(await one.failure("STATUS", { sysctl }, {}, folder)).toMatchObject({
    code: 50,
    msg: expect.stringMatching(
      /^cannot read the allowlist of sysctls \/etc\/cni\/tuning\/allowlist\.conf: .*is a directory/,
    ),
  });
  expect((await one.failure("ADD", { sysctl }, {}, folder)).code).toBe(5);
});

hostTest("T7: CHECK and DEL do not look at the list", async (host) => {
  const one = await prepare(host);
  await one.add({ sysctl });
  for (const command of ["CHECK", "DEL"])
    expect(`${await one.call(command, { sysctl }, {}, withAllowlist([]))}`).toBe(
      'exit code 0, stdout "", stderr ""',
    );
});
