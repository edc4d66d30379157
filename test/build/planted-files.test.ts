/**
 * K4: each kind of file in each place that host-local opens, with each command: it ends, it touches and shows nothing
 * that is not its own, its code is right, and the address is not given twice.
 */
import { describe, expect } from "bun:test";
import { lstatSync, mkdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { Outside } from "../support/outside.ts";
import { KINDS, type Kind } from "../support/planted.ts";
import type { PluginOutcome } from "../support/plugin-call.ts";
import { protocolProblems } from "../support/protocol.ts";
import { testUnless } from "../support/skip.ts";
import { SUBNET, surroundedCall } from "../support/surrounded-call.ts";

const COMMANDS = ["STATUS", "ADD", "CHECK", "GC", "DEL"] as const;
type Command = (typeof COMMANDS)[number];

/** What a command does when a kind of file is in a place. */
type Effect =
  /** Nothing: the error names the place. */
  | "fails"
  /** It works, and one line on stderr names the place. */
  | "warns"
  | "works";

interface Place {
  readonly name: string;
  path(leases: LeaseDirectory): string;
  /** Kinds that are no intruders here. */
  allows?(kind: Kind): boolean;
  effect(command: Command, kind: Kind): Effect;
  readonly ipam?: (path: string) => object;
}

const always =
  (effect: Effect, ...commands: Command[]) =>
  (command: Command, kind: Kind): Effect =>
    !kind.isOwn && commands.includes(command) ? effect : "works";

const leadsToFolder = ({ name }: Kind) =>
  ["a directory", "a link to a folder", "a link to nothing"].includes(name);

const PLACES: readonly Place[] = [
  {
    name: "the lock",
    path: ({ path }) => join(path, "lock"),
    // Nothing is written into a lock, and no other user can hold this one.
    effect: (command, kind) =>
      kind.name === "another name of a private file" ? "works" : always("fails", ...COMMANDS)(command, kind),
  },
  {
    name: "the hint",
    path: ({ path }) => join(path, "last_reserved_ip.0"),
    effect: always("warns", "ADD"),
  },
  {
    name: "a lease",
    path: ({ path }) => join(path, "10.1.0.2"),
    effect: (command, { name }) =>
      command === "GC" && (name.startsWith("another name of") || name === "a file of another user")
        ? "warns"
        : "works",
  },
  {
    name: "the cache",
    path: ({ state }) => join(state, "net.index"),
    effect: always("warns", "ADD", "CHECK", "GC", "DEL"),
  },
  {
    name: "the folder of the cache",
    path: ({ state }) => state,
    allows: ({ name }) => name === "a directory",
    effect: (command) => (command === "STATUS" ? "works" : "warns"),
  },
  {
    name: "the network's folder",
    path: ({ path }) => path,
    allows: leadsToFolder,
    effect: () => "fails",
  },
  {
    name: "dataDir",
    path: ({ dataDir }) => dataDir,
    allows: leadsToFolder,
    effect: () => "fails",
  },
  {
    name: "ipam.resolvConf",
    path: ({ dataDir }) => join(dataDir, "resolv.conf"),
    ipam: (resolvConf) => ({ ...SUBNET, resolvConf }),
    // The operator names the file, so that links, owners and further names are as good as any.
    allows: ({ name }) =>
      name === "a link to a file" ||
      name === "a file that grows" ||
      /of another user|another name/.test(name),
    effect: (command) => (command === "ADD" ? "fails" : "works"),
  },
];

/** No lease stays of a call before; CHECK and DEL are of an attachment that ADD made, if it could. */
async function callEach(
  leases: LeaseDirectory,
  place: Place,
  judge: (command: Command, outcome: PluginOutcome) => void,
): Promise<void> {
  for (const command of COMMANDS) {
    const ipam = place.ipam?.(place.path(leases)) ?? SUBNET;
    const whole = { "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }] };
    judge(command, await surroundedCall(leases, { command, ipam, whole }));
  }
}

for (const place of PLACES) {
  describe(`K4: in the place of ${place.name}`, () => {
    for (const kind of KINDS) {
      if (place.allows?.(kind) === true) continue;
      const cause = kind.needsRoot && process.getuid?.() !== 0 ? "not root" : undefined;
      testUnless(cause)(kind.name, async () => {
        using leases = new LeaseDirectory();
        using outside = new Outside();
        const path = place.path(leases);
        for (const folder of [leases.path, leases.state]) mkdirSync(folder, { mode: 0o700 });
        if (path === leases.path || path === leases.state) rmdirSync(path);
        if (path === leases.dataDir) rmSync(path, { recursive: true });
        const undo = await kind.plant(path, outside);
        const before = { outside: outside.state(), planted: lstatSync(path).mode };
        try {
          await callEach(leases, place, (command, outcome) => {
            const { exitCode, stdout, stderr } = outcome;
            const effect = place.effect(command, kind);
            expect([command, ...protocolProblems(command, outcome)]).toEqual([command]);
            const said = stderr.split("\n").filter((line) => line.includes(path));
            if (effect === "fails") {
              expect(`${command}: ${outcome}`).toStartWith(`${command}: exit code 1`);
              const code = command === "STATUS" ? 50 : 5;
              expect(outcome.json()).toMatchObject({ code, msg: expect.stringContaining(path) });
            } else {
              // CHECK finds no lease when the ADD could not make one.
              const fails = command === "CHECK" && place.name === "ipam.resolvConf";
              expect(`${command}: ${outcome}`).toStartWith(`${command}: exit code ${fails ? 1 : 0}`);
              expect([command, said.length]).toEqual([command, effect === "warns" ? 1 : 0]);
            }
            outside.expectNotIn(stdout + stderr);
            if (command === "ADD" && exitCode === 0 && path.endsWith("10.1.0.2"))
              expect(JSON.parse(stdout)).toMatchObject({ ips: [{ address: "10.1.0.3/24" }] });
            if (!kind.isOwn) expect(lstatSync(path).mode).toBe(before.planted);
            expect(outside.state()).toEqual(before.outside);
          });
        } finally {
          undo?.();
        }
      });
    }
  });
}
