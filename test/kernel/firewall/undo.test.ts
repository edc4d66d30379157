/**
 * A failure or the end of the process at each call that asks the kernel or is answered by it (F35). After a failed ADD the
 * host is as before; after a killed one DEL makes it so. strace does the injection, so the built file is tested as it is.
 */
import { describe, expect } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { stateDifference } from "../../support/state-difference.ts";
import { container, type Firewall, firewalled, firewallTest } from "./network.ts";

const LOG = "/run/strace.log";

/** Runs a command of the plugin with a fault at the `when`th call; the number of such calls that it made. */
async function disturbed(
  one: Firewall,
  command: string,
  call: string,
  what?: string,
): Promise<{ exitCode: number; calls: number }> {
  const strace = ["strace", "-f", "-qq", "-o", LOG, `--trace=${call}`];
  if (what !== undefined) strace.push(`--inject=${call}:${what}`);
  const { exitCode } = await one.call(command, {}, strace);
  const calls = readFileSync(LOG, "utf8")
    .split("\n")
    .filter((line) => line.includes(`${call}(`)).length;
  rmSync(LOG);
  return { exitCode, calls };
}

const ROWS = ["iptables", "nftables"].flatMap((backend) =>
  [false, true].map((neighbour) => [backend, neighbour ? "beside a neighbour" : "on a bare host"] as const),
);

/** A container with the strictest policy, perhaps beside another one of its network. */
async function scene(host: ScratchHost, backend: string, where: string) {
  const keys = { backend, ingressPolicy: "isolated" };
  const neighbour = where === "on a bare host" ? undefined : await firewalled(host, "c0", keys);
  const one = await container(host, "c1", keys);
  const end = async () => {
    await neighbour?.check();
    for (const each of [one, neighbour]) {
      await each?.del();
      await each?.attachment.del();
    }
  };
  return { one, end };
}

describe("F35: an ADD that fails leaves nothing", () => {
  firewallTest.each(ROWS)("%s, %s", async (host, backend, where) => {
    const { one, end } = await scene(host, backend, where);
    const before = await host.state();
    for (const [call, error] of [
      ["sendto", "EPERM"],
      // The kernel has done what it was asked for, and the answer is lost.
      ["recvfrom", "EIO"],
    ] as const) {
      const { calls } = await disturbed(one, "ADD", call);
      await one.del();
      let failures = 0;
      for (let when = 1; when <= calls; when++) {
        const { exitCode } = await disturbed(one, "ADD", call, `error=${error}:when=${when}`);
        if (exitCode === 0) await one.del();
        else failures++;
        expect([call, when, ...stateDifference(before, await host.state())]).toEqual([call, when]);
      }
      expect(failures).toBeGreaterThan(3);
    }
    await end();
  });
});

describe("F35, F30: DEL removes what a killed ADD has left", () => {
  firewallTest.each(ROWS)("%s, %s", async (host, backend, where) => {
    const { one, end } = await scene(host, backend, where);
    const before = await host.state();
    const { calls } = await disturbed(one, "ADD", "sendto");
    await one.del();
    for (let when = 1; when <= calls; when++) {
      const { exitCode } = await disturbed(one, "ADD", "sendto", `signal=SIGKILL:when=${when}`);
      expect(exitCode).not.toBe(0);
      await one.del();
      expect([when, ...stateDifference(before, await host.state())]).toEqual([when]);
    }
    // The same for a killed DEL, whose repetition ends it.
    await one.add();
    const deletion = await disturbed(one, "DEL", "sendto");
    for (let when = 1; when <= deletion.calls; when++) {
      await one.add();
      await disturbed(one, "DEL", "sendto", `signal=SIGKILL:when=${when}`);
      await one.del();
      expect([when, ...stateDifference(before, await host.state())]).toEqual([when]);
    }
    await end();
  });
});
