/** Least privilege: what loopback needs of capabilities(7). */
import { expect } from "bun:test";
import { hostTest } from "../../support/host-test.ts";
import { type Capability, callWith } from "../../support/privileges.ts";

const NEEDS: readonly (readonly [string, readonly Capability[]])[] = [
  ["VERSION", []],
  ["STATUS", []],
  ["GC", []],
  ["ADD", ["net_admin", "sys_admin"]],
  ["CHECK", ["sys_admin"]],
  ["DEL", ["net_admin", "sys_admin"]],
];

hostTest.each([...NEEDS])(
  "%s needs exactly this and names what is missing: %p",
  async (host, command, needs) => {
    const container = await host.addNamespace("c1");
    if (command === "ADD") await container.run("ip link set lo down");
    const call = (capabilities: readonly Capability[]) =>
      callWith({ capabilities }, "loopback", {
        command,
        containerId: "c1",
        netns: container.path,
        ifname: "lo",
        config: { cniVersion: "1.1.0", name: "lo", type: "loopback" },
      });
    const state = () => container.run("ip -br addr");
    for (const missing of needs) {
      const before = await state();
      const outcome = await call(needs.filter((other) => other !== missing));
      expect(outcome.exitCode).toBe(1);
      expect(outcome.json<{ msg: string }>().msg).toContain(
        `CAP_${missing.toUpperCase()} is missing (needed `,
      );
      expect(await state()).toBe(before);
    }
    expect(`${await call(needs)}`).toStartWith("exit code 0");
  },
);
