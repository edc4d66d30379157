/** Least privilege: what tuning needs of capabilities(7). */
import { expect } from "bun:test";
import { type Capability, callWith } from "../../support/privileges.ts";
import { FORMER, MAC, prepare, tuningTest } from "./tuned.ts";

const KEYS = { mac: MAC, mtu: 1400, sysctl: { "net.core.somaxconn": "77" }, "cni.dev/valid-attachments": [] };

const NEEDS: readonly (readonly [string, readonly Capability[]])[] = [
  ["VERSION", []],
  ["STATUS", []],
  ["GC", []],
  ["ADD", ["net_admin", "sys_admin"]],
  ["CHECK", ["sys_admin"]],
];

tuningTest.each([...NEEDS])(
  "%s needs exactly this and names what is missing: %p",
  async (host, command, needs) => {
    const one = await prepare(host);
    if (command === "CHECK") await one.add(KEYS);
    const call = (capabilities: readonly Capability[]) =>
      callWith({ capabilities }, "tuning", one.request(command, KEYS));
    const before = await one.shown();
    for (const missing of needs) {
      const outcome = await call(needs.filter((other) => other !== missing));
      expect(outcome.exitCode).toBe(1);
      expect(outcome.json<{ msg: string }>().msg).toContain(
        `CAP_${missing.toUpperCase()} is missing (needed `,
      );
      expect(await one.shown()).toEqual(before);
    }
    expect(`${await call(needs)}`).toStartWith("exit code 0");
    await one.silent("DEL");
  },
);

tuningTest(
  "DEL gives back nothing without net_admin and sys_admin, says so, and removes the file",
  async (host) => {
    const one = await prepare(host);
    for (const capabilities of [["net_admin"], ["sys_admin"]] as const) {
      await one.add(KEYS);
      const outcome = await callWith({ capabilities }, "tuning", one.request("DEL"));
      expect([outcome.exitCode, outcome.stderr]).toEqual([0, expect.stringContaining("(EPERM)")]);
      expect([(await one.shown()).mtu, one.saved()]).toEqual([1400, undefined]);
      await one.namespace.run(`ip link set eth0 address ${FORMER.mac} mtu ${FORMER.mtu}`);
    }
  },
);
