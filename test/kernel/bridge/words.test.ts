/** K26: messages for people. Failures of many kinds are provoked on the built file, and judged by one rule. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtBinaries } from "../../support/plugin-call.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { Attachment, configuration, type ErrorDocument, hostLocal, V4, withNetwork } from "./network.ts";

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

/** A plugin of one's own beside the built ones. */
class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "words-"));

  file(name: string, content: string): void {
    writeFileSync(join(this.path, name), content);
    chmodSync(join(this.path, name), 0o755);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

interface Case {
  readonly command?: string;
  readonly keys?: object;
  /** Instead of a configuration. */
  readonly stdin?: string;
  /** Content of the program `odd`, an IPAM plugin. */
  readonly odd?: string;
  readonly path?: string;
  /** Done on the host before. */
  readonly before?: (host: ScratchHost) => Promise<unknown>;
  readonly after?: (host: ScratchHost) => Promise<unknown>;
  /** What the message has to say. */
  readonly says: RegExp;
}

const ipam = { type: "odd" };
const DEEP = "[".repeat(400_000) + "]".repeat(400_000);

const CASES: Readonly<Record<string, Case>> = {
  "a script without #!": { keys: { ipam }, odd: "echo hi\n", says: /first line such as/ },
  "an interpreter that is missing": {
    keys: { ipam },
    odd: "#!/nowhere/python\n",
    says: /interpreter of its first line/,
  },
  "a loader that is missing": {
    keys: { ipam },
    odd: "#!/nowhere/ld.so",
    says: /not on this machine/,
  },
  "a program of another machine": {
    keys: { ipam },
    odd: `\x7fELF\x02\x01\x01${"\0".repeat(9)}\x02\0\xf3\0${"\0".repeat(60)}`,
    says: /right architecture/,
  },
  "an IPAM plugin that a signal ends": {
    keys: { ipam },
    odd: "#!/bin/sh\nkill -SEGV $$\n",
    says: /killed by SIGSEGV/,
  },
  "an IPAM plugin that says nothing": {
    keys: { ipam },
    odd: "#!/bin/sh\nexit 3\n",
    says: /no error message/,
  },
  "an IPAM plugin that prints what is not JSON": {
    keys: { ipam },
    odd: "#!/bin/sh\necho {\n",
    says: /valid result/,
  },
  "an IPAM plugin that is nowhere": {
    keys: { ipam: { type: "nowhere" } },
    says: /^failed to find plugin "nowhere"/,
  },
  "a CNI_PATH without a folder": { keys: { ipam: { type: "nowhere" } }, path: ":", says: /CNI_PATH/ },
  "JSON that is nested too deeply": {
    stdin: DEEP,
    says: /nested too deeply|more than \d+ objects and arrays|must be an object/,
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
    before: (host) => host.run("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys"),
    after: (host) => host.run("umount /proc/sys"),
    says: /^failed to enable forwarding: .*read-only file system.*sysctl -w/,
  },
  "a route's number that has no room": {
    keys: { ipam: { ...hostLocal(V4), routes: [{ dst: "10.9.0.0/16", priority: 5_000_000_000 }] } },
    says: /5000000000/,
  },
};

describe("K26: no class, no call, no empty list in a message", () => {
  test.each(Object.entries(CASES))("%s", (_, one) =>
    withNetwork(async (host) => {
      using folder = new Folder();
      if (one.odd !== undefined) folder.file("odd", one.odd);
      await one.before?.(host);
      const namespace = await host.addNamespace("c1");
      const outcome = await host.plugin("bridge", {
        command: one.command ?? "ADD",
        containerId: "c1",
        netns: namespace.path,
        ifname: "eth0",
        path: one.path ?? `${folder.path}:${builtBinaries()}`,
        config: one.stdin ?? configuration(one.keys),
      });
      await one.after?.(host);
      expect(`${outcome}`).toStartWith("exit code 1");
      const document = outcome.json<ErrorDocument>();
      expect(document.msg).toMatch(one.says);
      expect(wrongWords(document, outcome.stderr)).toBeUndefined();
    }),
  );

  test("CHECK after the pair was cut: no list that is empty", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), configuration());
      const result = await attachment.add();
      for (const interfaces of [[], result.interfaces.slice(0, 1), result.interfaces.slice(2)]) {
        const prevResult = { ...result, interfaces, ips: [] };
        const document = await attachment.failure("CHECK", { prevResult });
        expect(wrongWords(document, "")).toBeUndefined();
      }
      await attachment.del();
    }));

  test("the rule finds what it is about", () => {
    for (const msg of [
      'SystemError: open "/proc/sys"',
      "none of  is the other end",
      "posix_spawn failed",
      "recvfrom: connection timed out",
      "undefined is not an object",
      "Maximum call stack size exceeded.",
      "in path []",
    ])
      expect(wrongWords({ cniVersion: "1.1.0", code: 999, msg }, "")).toBeDefined();
  });
});
