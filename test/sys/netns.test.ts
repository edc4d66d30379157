/** What is a network namespace and what is not; entering one needs root and is in test/kernel/sys. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isOwnNetns, Netns, NoNamespaceError } from "../../src/sys/netns.ts";
import { descriptorsSince, openDescriptors } from "../support/descriptors.ts";

const folder = mkdtempSync(join(tmpdir(), "bridgehead-netns-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the own namespace is one, named by device and inode", () => {
  using netns = Netns.open("/proc/self/ns/net");
  const judge = statSync("/proc/self/ns/net", { bigint: true });
  expect(netns.identity().inode).toBe(judge.ino.toString());
  expect(netns.path).toBe("/proc/self/ns/net");
  expect(isOwnNetns("/proc/self/ns/net")).toBe(true);
});

describe("no namespace", () => {
  const plain = join(folder, "plain");
  writeFileSync(plain, "");
  Bun.spawnSync(["mkfifo", join(folder, "fifo")]);

  test.each([
    ["nothing there", join(folder, "nothing"), "it does not exist"],
    ["a path through a file", join(plain, "net"), "it does not exist"],
    ["a process that is gone", "/proc/4194305/ns/net", "it does not exist"],
    ["a plain file, as a deleted namespace leaves it", plain, "the file there is not a namespace"],
    ["a directory", folder, "the file there is not a namespace"],
    ["a fifo, which nobody writes to", join(folder, "fifo"), "the file there is not a namespace"],
    ["a device", "/dev/null", "the file there is not a namespace"],
    ["a namespace of another kind", "/proc/self/ns/mnt", "it is a namespace of another kind"],
  ])("%s", (_, path, state) => {
    const before = openDescriptors();
    expect(() => Netns.open(path)).toThrow(NoNamespaceError);
    expect(() => Netns.open(path)).toThrow(`${JSON.stringify(path)} is not a network namespace: ${state}`);
    expect(descriptorsSince(before)).toEqual([]);
    expect(isOwnNetns(path)).toBe(false);
  });
});
