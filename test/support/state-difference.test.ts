import { expect, test } from "bun:test";
import { keptBridge, keptForwarding, keptIptablesChains, keptLeaseFolder } from "./leftovers.ts";
import { expectUnchanged, stateDifference } from "./state-difference.ts";

test("equal states have no difference", () => {
  expect(stateDifference(["a", "b", "a"], ["a", "b", "a"])).toEqual([]);
});

test("lines that went and lines that came are told apart, repeated ones counted", () => {
  expect(stateDifference(["a", "b", "b"], ["b", "c", "a", "c"])).toEqual(["- b", "+ c", "+ c"]);
});

test("another order is a difference", () => {
  expect(stateDifference(["a", "b"], ["b", "a"])).toEqual(["in another order: a", "now in its place: b"]);
});

test("expectUnchanged lists all that differs, except what may", () => {
  expect(() => expectUnchanged(["a"], ["a", "link cni0 {}", "rule x"], keptBridge("cni0"))).toThrow(
    "the host is not as it was:\n  + rule x",
  );
});

test("what stays after a DEL matches its pattern, its neighbours do not", () => {
  const matches = (patterns: readonly RegExp[], line: string) =>
    patterns.some((pattern) => pattern.test(line));
  const bridge = keptBridge("cni0");
  expect(matches(bridge, "link cni0 {}")).toBe(true);
  expect(matches(bridge, 'route {"dst":"10.0.0.0/24","dev":"cni0"}')).toBe(true);
  expect(matches(bridge, "link cni01 {}")).toBe(false);
  expect(matches(bridge, "link veth00000000 {}")).toBe(false);
  const leases = keptLeaseFolder("net");
  expect(matches(leases, "file /var/lib/cni/ 755")).toBe(true);
  expect(matches(leases, "file /var/lib/cni/networks/net/ 755")).toBe(true);
  expect(matches(leases, 'file /var/lib/cni/networks/net/last_reserved_ip.0 600 "10.0.0.2"')).toBe(true);
  expect(matches(leases, "file /var/lib/cni/networks/.bridgehead/net.index 600 12800 bytes")).toBe(true);
  expect(matches(leases, "file /var/lib/cni/networks/.bridgehead/net+1 600 x")).toBe(false);
  expect(matches(leases, 'file /var/lib/cni/networks/net/10.0.0.2 600 "id\\r\\neth0"')).toBe(false);
  expect(matches(leases, "file /var/lib/cni/networks/other/ 755")).toBe(false);
  expect(matches(keptForwarding, "sysctl net.ipv4.ip_forward = 1")).toBe(true);
  expect(matches(keptForwarding, "sysctl net.ipv4.conf.all.rp_filter = 1")).toBe(false);
  const chain = (name: string, type: string) =>
    `nft {"chain":{"family":"ip","table":"nat","name":"${name}"${type}}}`;
  expect(matches(keptIptablesChains, chain("POSTROUTING", ',"type":"nat"'))).toBe(true);
  expect(matches(keptIptablesChains, chain("CNI-0123", ""))).toBe(false);
});
