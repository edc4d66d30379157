/** O10: what validate says of a network by this host: programs, interfaces, routes and the allowlist of sysctls. */
import { expect } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { validate } from "../../../src/operator/validate/validate.ts";
import { bridge, source } from "../../operator/validate/findings.ts";
import { outcomeOf } from "../../support/command.ts";
import { isCompact } from "../../support/engine.ts";
import { hostTest, hostTests } from "../../support/host-test.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import { withAllowlist } from "../../support/private-etc.ts";
import { testUnless } from "../../support/skip.ts";

/** Folders of plugins, and what validate says of a list by them and by this host. */
async function said(
  plugins: readonly object[],
  files: Readonly<Record<string, number>> = {},
): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "plugins-"));
  try {
    const all = { bridge: 0o755, "host-local": 0o755, portmap: 0o755, static: 0o755, ...files };
    for (const [name, mode] of Object.entries(all)) {
      if (mode === 0) continue;
      writeFileSync(join(folder, name), "");
      chmodSync(join(folder, name), mode);
    }
    const list = source("/x/a.conflist", { cniVersion: "1.1.0", name: "a", plugins });
    const findings = await validate({ files: [list], others: [], pluginPath: `/nowhere:${folder}` });
    return findings.map(({ code, key, message }) => `${code} ${key}: ${message.replaceAll(folder, "DIR")}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

hostTest("O10: a network that fits this host has no findings, with its bridge there or not", async (host) => {
  expect(await said([bridge()])).toEqual([]);
  await host.run("ip link add br0 type bridge && ip addr add 10.1.2.1/24 dev br0 && ip link set br0 up");
  expect(await said([bridge()])).toEqual([]);
  await host.run("ip link delete br0");
});

hostTest("O10: programs that are missing, or cannot be executed", async () => {
  const portmap = { type: "portmap", capabilities: { portMappings: true } };
  expect(await said([bridge(), portmap], { portmap: 0, "host-local": 0o644 })).toEqual([
    "BH113 plugins[0].ipam.type: DIR/host-local cannot be executed",
    'BH112 plugins[1].type: plugin "portmap" is not in /nowhere:DIR',
  ]);
});

hostTest.each([
  [
    "the network of an interface",
    "ip addr add 10.1.0.9/16 dev d0",
    "BH121 plugins[0].ipam.subnet: 10.1.2.0/24 overlaps with 10.1.0.0/16, the network of the host's d0",
  ],
  [
    "a route over a router",
    "ip addr add 172.31.9.1/24 dev d0; ip route add 10.1.2.128/25 via 172.31.9.2",
    "BH122 plugins[0].ipam.subnet: 10.1.2.0/24 overlaps with the host's route to 10.1.2.128/25 over d0",
  ],
  [
    "an interface with the bridge's name",
    "ip link set d0 down; ip link set d0 name br0; ip link set br0 up",
    'BH125 plugins[0].bridge: the host has an interface "br0" already, which is a veth',
  ],
] as [string, string, string][])("O10: %s", async (host, _, set, expected) => {
  await host.run("ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up");
  await host.run(set);
  expect(await said([bridge()])).toEqual([expected]);
  await host.run("ip link delete d1");
});

hostTest(
  "O10: a route of another table of the host, a default route, and local addresses are no overlap",
  async (host) => {
    await host.run(
      "ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up && ip addr add 172.31.9.1/24 dev d0",
    );
    await host.run("ip route add default via 172.31.9.2 && ip -6 route add default dev d0");
    expect(await said([bridge({}, { ranges: [[{ subnet: "fd00:1::/64" }]] })])).toEqual([]);
    await host.run("ip link delete d0");
  },
);

const builtTest = hostTests({}, testUnless(isCompact() ? "the compact file has few commands" : undefined));

builtTest("O10, T7: a sysctl that this host does not allow, by the built file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "networks-"));
  try {
    const tuning = { type: "tuning", sysctl: { "net.core.somaxconn": "5" } };
    const list = { cniVersion: "1.1.0", name: "a", plugins: [bridge(), tuning] };
    writeFileSync(join(folder, "a.conflist"), JSON.stringify(list));
    const call = [`${builtBinaries()}/bridgehead`, "validate", "--json", folder];
    const codes = async (lines: string[]) => {
      const { stdout } = await outcomeOf(withAllowlist(lines, call), { env: { CNI_PATH: builtBinaries() } });
      return JSON.parse(stdout).findings.map(({ code, key }: Record<string, string>) => `${code} ${key}`);
    };
    expect(await codes(["^net.core."])).toEqual([]);
    expect(await codes(["^net.ipv4."])).toEqual(["BH151 plugins[1].sysctl"]);
    expect(await codes(["("])).toEqual(["BH151 plugins[1]"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
