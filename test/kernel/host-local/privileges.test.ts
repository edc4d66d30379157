/** Least privilege: host-local needs its directory and no capability; what it can't see it does not take for dead. */
import { describe, expect, test } from "bun:test";
import type { PluginOutcome } from "../../support/plugin-call.ts";
import { type Capability, callWith } from "../../support/privileges.ts";
import { type ScratchHost, withScratchHost } from "../../support/scratch-host.ts";

const FOLDER = "/run/leases";
const NOBODY = 64123;
/** One address. */
const CONFIG = {
  cniVersion: "1.1.0",
  name: "net",
  type: "bridge",
  ipam: {
    type: "host-local",
    dataDir: FOLDER,
    ranges: [[{ subnet: "10.99.0.0/24", rangeStart: "10.99.0.2", rangeEnd: "10.99.0.2" }]],
  },
};

const callFor =
  (capabilities: readonly Capability[]) =>
  (command: string, containerId: string): Promise<PluginOutcome> =>
    callWith({ capabilities }, "host-local", {
      command,
      containerId,
      netns: `/var/run/netns/${containerId}`,
      ifname: "eth0",
      config: { ...CONFIG, "cni.dev/valid-attachments": [{ containerID: "other", ifname: "eth0" }] },
    });

async function withFolder(body: (host: ScratchHost) => Promise<void>): Promise<void> {
  await withScratchHost(async (host) => {
    await host.run(`mkdir ${FOLDER}`);
    await body(host);
    await host.run(`rm -r ${FOLDER}`);
  });
}

test("all commands work without any capability", () =>
  withFolder(async (host) => {
    await host.addNamespace("c1");
    const call = callFor([]);
    for (const command of ["VERSION", "STATUS", "ADD", "CHECK", "DEL", "ADD", "GC"]) {
      expect(`${command}: ${await call(command, "c1")}`).toStartWith(`${command}: exit code 0`);
    }
    expect(await host.run(`ls ${FOLDER}/net`)).toBe("last_reserved_ip.0\nlock\n");
  }));

test.each(["ADD", "DEL", "GC", "STATUS"])(
  "%s: a directory of somebody else's is refused, and CAP_DAC_OVERRIDE is named",
  (command) =>
    withFolder(async (host) => {
      await host.addNamespace("c1");
      expect((await callFor([])("ADD", "c1")).exitCode).toBe(0);
      if (command === "ADD" || command === "STATUS")
        expect((await callFor([])("DEL", "c1")).exitCode).toBe(0);
      await host.run(`chown -R ${NOBODY} ${FOLDER}; chmod 700 ${FOLDER}`);
      const before = await host.state();
      const outcome = await callFor(["net_admin", "sys_admin"])(command, "c1");
      expect(outcome.exitCode).toBe(1);
      expect(outcome.json<{ msg: string }>().msg).toContain("CAP_DAC_OVERRIDE is missing (needed ");
      expect(await host.state()).toEqual(before);
      expect((await callFor(["dac_override"])(command, "c1")).exitCode).toBe(0);
    }),
);

describe("L4: the holder of the only address", () => {
  const SETS: readonly (readonly Capability[])[] = [
    [],
    ["net_admin"],
    ["sys_ptrace"],
    ["sys_admin"],
    ["net_admin", "sys_admin"],
  ];

  test.each(SETS.map((set) => [set.join(", ") || "no capability", set] as const))(
    "keeps it while it lives: with %s",
    (_what, set) =>
      withFolder(async (host) => {
        for (const name of ["c1", "c2"]) await host.addNamespace(name);
        expect((await callFor(set)("ADD", "c1")).exitCode).toBe(0);
        const outcome = await callFor(set)("ADD", "c2");
        expect(outcome.json<{ msg: string }>().msg).toContain("no IP addresses available");
        expect(await host.run(`cat ${FOLDER}/net/10.99.0.2`)).toBe("c1\r\neth0");
      }),
  );

  test("loses it when it is gone: CAP_SYS_PTRACE lets ADD see that on every kernel", () =>
    withFolder(async (host) => {
      for (const name of ["c1", "c2"]) await host.addNamespace(name);
      expect((await callFor([])("ADD", "c1")).exitCode).toBe(0);
      await host.run("ip netns delete c1");
      expect((await callFor(["sys_ptrace"])("ADD", "c2")).exitCode).toBe(0);
      expect(await host.run(`cat ${FOLDER}/net/10.99.0.2`)).toBe("c2\r\neth0");
    }));
});
