/** static behind bridge on a real kernel: in the process of bridge, as a child, and by itself. */
import { expect } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { hostTest } from "../../support/host-test.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import { callWith } from "../../support/privileges.ts";
import { attach, networkTest, prepare } from "../bridge/network.ts";

const STATIC = {
  type: "static",
  addresses: [{ address: "10.77.0.5/24", gateway: "10.77.0.1" }, { address: "fd77::5/64" }],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.77.0.9", priority: 7 }],
  dns: { nameservers: ["10.77.0.1"] },
};

networkTest("S1, S6: a life behind bridge", async (host) => {
  const one = await attach(host, "c1", { isGateway: true, ipam: STATIC });
  expect(await one.addresses()).toEqual(["10.77.0.5/24", "fd77::5/64"]);
  const routes = await one.namespace.run("ip route show");
  expect(routes).toContain("default via 10.77.0.1 dev eth0");
  expect(routes).toContain("192.0.2.0/24 via 10.77.0.9 dev eth0 metric 7");
  expect(one.result.ips.map(({ address, gateway }) => [address, gateway])).toEqual([
    ["10.77.0.5/24", "10.77.0.1"],
    ["fd77::5/64", "fd77::1"],
  ]);
  await one.check();
  await one.del();
});

networkTest("S7, A51: IP, GATEWAY and MAC of CNI_ARGS reach both plugins", async (host) => {
  const args = "IP=10.77.0.8/24;GATEWAY=10.77.0.3;MAC=02:00:5e:10:00:01";
  const one = await attach(host, "c1", { ipam: { type: "static" } }, { args });
  expect(await one.addresses()).toEqual(["10.77.0.8/24"]);
  expect(one.result.ips[0]?.gateway).toBe("10.77.0.3");
  expect(one.result.interfaces[2]?.mac).toBe("02:00:5e:10:00:01");
  await one.check();
  await one.del();
});

/** As a runtime sends addresses by a capability; the route's gateway is in their network. */
networkTest(
  "S2: runtimeConfig.ips replaces the addresses of the configuration for bridge as well",
  async (host) => {
    const keys = {
      isGateway: true,
      ipam: { ...STATIC, routes: [{ dst: "192.0.2.0/24", gw: "10.78.0.9" }] },
      runtimeConfig: { ips: ["10.78.0.8/24"] },
    };
    const one = await attach(host, "c1", keys);
    expect(await one.addresses()).toEqual(["10.78.0.8/24"]);
    expect(await one.namespace.run("ip route show")).toContain("192.0.2.0/24 via 10.78.0.9 dev eth0");
    await one.check();
    await one.del();
  },
);

/** How many programs a call of bridge starts, itself included. */
networkTest.each([
  ["the same file", 1],
  ["a copy", 2],
])("A42: bridge calls %s", async (host, which, programs) => {
  const folder = "/run/static-test";
  mkdirSync(folder);
  copyFileSync(`${builtBinaries()}/static`, `${folder}/static`);
  const trace = `${folder}/trace`;
  const one = await prepare(host, "c1", { ipam: STATIC });
  const path = which === "a copy" ? folder : builtBinaries();
  for (const command of ["ADD", "DEL"]) {
    const strace = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace];
    const outcome = await one.callUnder(strace, { ...one.request(command), path });
    expect(`${outcome}`).toStartWith("exit code 0");
    expect(readFileSync(trace, "utf8").match(/execve\(/g)?.length).toBe(programs);
    if (command === "ADD") expect(await one.addresses()).toEqual(["10.77.0.5/24", "fd77::5/64"]);
  }
  rmSync(folder, { recursive: true });
});

networkTest(
  "G7, S4: an address that no interface can have is refused before anything is touched",
  async (host) => {
    const one = await prepare(host, "c1", {
      ipam: { type: "static", addresses: [{ address: "10.77.0.255/24" }] },
    });
    await host.unchangedBy(async () => {
      expect((await one.failure("ADD")).msg).toContain(
        "ipam.addresses[0].address: 10.77.0.255/24 is the broadcast",
      );
    });
  },
);

hostTest("S1: nothing is stored, and neither a namespace nor a capability is needed", (host) =>
  host.unchangedBy(async () => {
    const config = { cniVersion: "1.1.0", name: "net", type: "macvlan", ipam: STATIC };
    const call = (command: string, keys: object = {}) =>
      callWith({ capabilities: [] }, "static", {
        command,
        containerId: "c1",
        netns: "/nowhere",
        ifname: "eth0",
        config: { ...config, ...keys },
      });
    const prevResult = (await call("ADD")).json();
    expect(prevResult).toEqual({
      cniVersion: "1.1.0",
      dns: { nameservers: ["10.77.0.1"] },
      ips: [{ address: "10.77.0.5/24", gateway: "10.77.0.1" }, { address: "fd77::5/64" }],
      routes: [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.77.0.9", priority: 7 }],
    });
    for (const command of ["CHECK", "DEL", "GC", "STATUS"])
      expect(`${await call(command, { prevResult })}`).toBe('exit code 0, stdout "", stderr ""');
  }),
);
