/** O17: the names of an attachment are those of cnitool. */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { CachedAttachment } from "../../../src/operator/cache.ts";
import { absolute, targetOf, withCached } from "../../../src/operator/run/attachment.ts";

const GIVEN = {
  network: "net",
  netns: "/run/netns/c1",
  id: undefined,
  ifname: "eth0",
  args: "",
  capabilityArgs: {},
} as const;

test("O17: the id is cnitool's, of the absolute path", () => {
  const hash = createHash("sha512").update("/run/netns/c1").digest("hex").slice(0, 20);
  expect(targetOf(GIVEN).containerId).toBe(`cnitool-${hash}`);
  expect(targetOf({ ...GIVEN, netns: "/run//netns/./x/../c1/" })).toEqual(targetOf(GIVEN));
  expect(targetOf({ ...GIVEN, id: "abc" }).containerId).toBe("abc");
});

test.each([
  ["c1", "/run/netns/c1"],
  ["./c1/", "/run/netns/c1"],
  ["../c1", "/run/c1"],
  ["../../../../c1", "/c1"],
  ["/a/../..", "/"],
])("O17: the path %j is made absolute as Go does", (path, expected) => {
  expect(absolute(path, () => "/run/netns")).toBe(expected);
});

test("O17: CNI_ARGS are pairs", () => {
  expect(targetOf({ ...GIVEN, args: "IP=10.1.2.3;K8S_POD_NAME=x" }).cniArgs).toEqual([
    ["IP", "10.1.2.3"],
    ["K8S_POD_NAME", "x"],
  ]);
});

test.each([
  [{ args: "IP" }, /CNI_ARGS has "IP"/],
  [{ args: "=x" }, /KEY=VALUE/],
  [{ id: "a/b" }, /--id "a\/b" is not a container id/],
  [{ ifname: "a b" }, /--ifname "a b"/],
  [{ ifname: "abcdefghijklmnop" }, /1 to 15/],
])("O4, O17: wrong is %j", (given, message) => {
  expect(() => targetOf({ ...GIVEN, ...given })).toThrow(message);
});

test("O17: CHECK and DEL get what ADD had got, unless it is given anew", () => {
  const target = targetOf({ ...GIVEN, netns: undefined, id: "abc", capabilityArgs: { mac: "b" } });
  const cached = {
    netns: "/run/netns/old",
    cniArgs: [["IP", "10.1.2.3"]],
    capabilityArgs: { mac: "a", ips: ["10.1.2.3"] },
  } as unknown as CachedAttachment;
  expect(withCached(target, cached)).toEqual({
    network: "net",
    containerId: "abc",
    ifname: "eth0",
    netns: "/run/netns/old",
    cniArgs: [["IP", "10.1.2.3"]],
    capabilityArgs: { mac: "b", ips: ["10.1.2.3"] },
  });
  expect(withCached(target, undefined)).toBe(target);
});
