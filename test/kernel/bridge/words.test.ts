/** K26: messages for people. Failures of many kinds are provoked on the built file, and judged by one rule. */
import { describe, expect, test } from "bun:test";
import { builtBinaries } from "../../support/plugin-call.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import { type ErrorDocument, hostLocal, lifeTest, networkTest, prepare, V4 } from "./network.ts";

/** Names of classes, calls of libraries and of the kernel, words of the engine, and what an empty list leaves. */
const INSIDE =
  /\b\w+Error\b|\bspawn\w*\b|posix_|exec(ve|v)\b|\b(statx|openat|recvfrom|sendto|getdents64|f?setxattr|fgetxattr|setns|ioctl|pread|pwrite|f(data)?sync|utimensat|[gs]etsockopt|rt_sig\w+)\b|undefined|\[object|JSON Parse|call stack| {2}|\(\)|\[\s*\]|: ;|, ,|: $/;

/** What is wrong with the words of an outcome; undefined if nothing is. */
function wrongWords({ msg, details = "" }: ErrorDocument, stderr: string): string | undefined {
  for (const text of [msg, details, stderr]) {
    const found = INSIDE.exec(text);
    if (found !== null) return `${JSON.stringify(found[0])} in ${text}`;
  }
  return undefined;
}

interface Case {
  /** What the message has to say. */
  readonly says: RegExp;
  readonly keys?: object;
  /** Instead of a configuration. */
  readonly stdin?: string;
  readonly path?: string;
  /** Run on the host before and after. */
  readonly around?: readonly [string, string];
}

const ipam = { type: "odd" };
const NOWHERE = { ipam: { type: "nowhere" } };
const DEEP = "[".repeat(400_000) + "]".repeat(400_000);

/** Contents of the program `odd`, an IPAM plugin, and what the message has to say. */
const PROGRAMS: Readonly<Record<string, readonly [string, RegExp]>> = {
  "a script without #!": ["echo hi\n", /first line such as/],
  "an interpreter that is missing": ["#!/nowhere/python\n", /interpreter of its first line/],
  "a loader that is missing": ["#!/nowhere/ld.so", /missing on this machine/],
  "a program of another machine": [
    `\x7fELF\x02\x01\x01${"\0".repeat(9)}\x02\0\xf3\0${"\0".repeat(60)}`,
    /right architecture/,
  ],
  "an IPAM plugin that a signal ends": ["#!/bin/sh\nkill -SEGV $$\n", /killed by SIGSEGV/],
  "an IPAM plugin that says nothing": ["#!/bin/sh\nexit 3\n", /no error message/],
  "an IPAM plugin that prints what is not JSON": ["#!/bin/sh\necho {\n", /valid result/],
};

const CASES: Readonly<Record<string, Case>> = {
  "an IPAM plugin that is nowhere": { keys: NOWHERE, says: /^failed to find plugin "nowhere"/ },
  "a CNI_PATH without a folder": { keys: NOWHERE, path: ":", says: /CNI_PATH/ },
  "JSON that is nested too deeply": {
    stdin: DEEP,
    says: /at most 10000 levels of objects and arrays/,
  },
  "a long text that is not JSON": {
    stdin: `{"name": "a", "x": "${"y".repeat(100_000)}"`,
    says: /line 1, column \d+/,
  },
  "an empty text": { stdin: "", says: /line 1, column 1/ },
  "a resolv.conf that is a folder": {
    keys: { ipam: { ...hostLocal(V4), resolvConf: "/etc" } },
    says: /leads to a directory/,
  },
  "a dataDir below a file": {
    keys: { ipam: { ...hostLocal(V4), dataDir: "/etc/passwd/leases" } },
    says: /not a directory/,
  },
  "settings that can only be read": {
    keys: { isGateway: true },
    around: ["mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys", "umount /proc/sys"],
    says: /^failed to enable forwarding: .*read-only file system.*sysctl -w/,
  },
  "a route's number that has no room": {
    keys: { ipam: { ...hostLocal(V4), routes: [{ dst: "10.9.0.0/16", priority: 5_000_000_000 }] } },
    says: /5000000000/,
  },
};

describe("K26: no class, no call, no empty list in a message", () => {
  const rows = [
    ...Object.entries(PROGRAMS).map(([what, [odd, says]]) => [what, { keys: { ipam }, says }, odd] as const),
    ...Object.entries(CASES).map(([what, one]) => [what, one, undefined] as const),
  ];
  networkTest.each<readonly [string, Case, string | undefined]>(rows)("%s", async (host, _, one, odd) => {
    using folder = new ProgramFolder();
    if (odd !== undefined) folder.file("odd", odd);
    const [before = "true", after = "true"] = one.around ?? [];
    await host.run(before);
    const request = (await prepare(host, "c1", one.keys)).request("ADD");
    const outcome = await host.plugin("bridge", {
      ...request,
      path: one.path ?? `${folder.path}:${builtBinaries()}`,
      config: one.stdin ?? request.config,
    });
    await host.run(after);
    expect(`${outcome}`).toStartWith("exit code 1");
    const document = outcome.json<ErrorDocument>();
    expect(document.msg).toMatch(one.says);
    expect(wrongWords(document, outcome.stderr)).toBeUndefined();
  });

  lifeTest("CHECK after the pair was cut: no list that is empty", {}, async (one) => {
    const { interfaces } = one.result;
    for (const left of [[], interfaces.slice(0, 1), interfaces.slice(2)]) {
      const prevResult = { ...one.result, interfaces: left, ips: [] };
      expect(wrongWords(await one.failure("CHECK", { prevResult }), "")).toBeUndefined();
    }
  });

  test("the rule finds what it is about", () => {
    for (const msg of [
      ...['SystemError: open "/proc/sys"', "none of  is the other end", "posix_spawn failed"],
      ...["recvfrom: connection timed out", "undefined is not an object"],
      ...["Maximum call stack size exceeded.", "in path []"],
    ])
      expect(wrongWords({ cniVersion: "1.1.0", code: 999, msg }, "")).toBeDefined();
  });
});
