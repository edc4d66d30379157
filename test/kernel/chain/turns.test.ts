/** Calls that change the same rule set take turns once one of them has lost to the others too often (A41). */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { Turn } from "../../../src/sys/netns-lock.ts";
import { withDeadline, withoutDeadline } from "../../support/call-time.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTest } from "../../support/host-test.ts";
import { LOCK_FOLDER } from "../../support/leftovers.ts";
import { LockKeeper } from "../../support/lock-keeper.ts";
import { type Backend, Pod } from "../portmap/pod.ts";
import { ruleTest, V4, V6 } from "../portmap/scene.ts";

const turnFile = () => `${LOCK_FOLDER}/netns-${statSync("/proc/self/ns/net").ino}.lock-turn`;

/** Whether a process waits for the lock on a file: its line in /proc/locks has an arrow. */
const isAwaited = (path: string): boolean =>
  readFileSync("/proc/locks", "utf8")
    .split("\n")
    .some((line) => line.includes("->") && line.includes(`:${statSync(path).ino} `));

async function keeperOfTurn(): Promise<LockKeeper> {
  mkdirSync(LOCK_FOLDER, { mode: 0o700, recursive: true });
  return await LockKeeper.on(turnFile());
}

describe("A41: a turn", () => {
  hostTest("is taken by those who come while another has it, and leaves nothing", async () => {
    using idle = new Turn();
    idle.take(false);
    expect(existsSync(turnFile())).toBe(false);
    {
      using first = new Turn();
      first.take(true);
      expect(existsSync(turnFile())).toBe(true);
      using second = new Turn();
      // A process that hangs in its turn stops no other for good.
      withDeadline(60);
      second.take(false);
      withoutDeadline();
    }
    expect(existsSync(turnFile())).toBe(false);
  });

  hostTest("of a process that was killed is over", async () => {
    const keeper = await keeperOfTurn();
    process.kill(keeper.pid, "SIGKILL");
    await keeper[Symbol.asyncDispose]();
    {
      using next = new Turn();
      next.take(false);
    }
    expect(existsSync(turnFile())).toBe(false);
  });

  ruleTest("is awaited by ADD and DEL with each backend", async (host) => {
    for (const backend of ["iptables", "nftables"] satisfies Backend[]) {
      const pod = new Pod(host, undefined, { addresses: [V4, V6] });
      const mapping = [{ hostPort: 8080, containerPort: 80 }];
      for (const act of [() => pod.add(mapping, { backend }), () => pod.del()]) {
        const keeper = await keeperOfTurn();
        const acting = act();
        await eventually("the call to wait for its turn", () => isAwaited(turnFile()));
        await keeper[Symbol.asyncDispose]();
        await acting;
        expect(existsSync(turnFile())).toBe(false);
      }
    }
  });
});
