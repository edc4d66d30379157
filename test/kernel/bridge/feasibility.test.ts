/**
 * K18, K19: routes that lead nowhere are left out, and no mistake of a configuration is left for the kernel to find.
 * What is refused, `ip route` refuses as well.
 */

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { outcomeOf } from "../../support/command.ts";
import { TEST_LIMIT } from "../../support/limits.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { expectUnchanged } from "../../support/state-difference.ts";
import { Attachment, configuration, type ErrorDocument, hostLocal, V4, V6, withNetwork } from "./network.ts";

const withRoutes = (routes: object[], ...ranges: object[]) =>
  configuration({ isGateway: true, ipam: { ...hostLocal(...ranges), routes } });

test.each([
  ["IPv6 in a network of IPv4", V4, "::/0", "0.0.0.0/0", "-6"],
  ["IPv4 in a network of IPv6", V6, "0.0.0.0/0", "::/0", "-4"],
])(
  "K18: a route of %s is left out of container and result, and that is said",
  (_what, range, useless, useful, family) =>
    withNetwork(async (host) => {
      const config = withRoutes([{ dst: useless }, { dst: useful }], range);
      const one = new Attachment(host, await host.addNamespace("c1"), config);
      const outcome = await one.call("ADD");
      expect(outcome.exitCode).toBe(0);
      expect(outcome.stderr).toContain(`left out the route to ${useless}`);
      const result = outcome.json<Awaited<ReturnType<Attachment["add"]>>>();
      expect(result.routes).toEqual([{ dst: useful }]);
      const present = await one.namespace.json<{ dst: string }[]>(`ip -j ${family} route show default`);
      expect(present).toEqual([]);
      await one.check(result);
      await one.del();
    }),
);

test("K19: a route that is listed twice is one, in the container and in the result", () =>
  withNetwork(async (host) => {
    const list = [
      { dst: "0.0.0.0/0" },
      { dst: "0.0.0.0/0", gw: "10.77.0.1" },
      { dst: "::/0" },
      { dst: "::/0" },
    ];
    const one = new Attachment(host, await host.addNamespace("c1"), withRoutes(list, V4, V6));
    const result = await one.add();
    expect(result.routes).toEqual([{ dst: "0.0.0.0/0" }, { dst: "::/0" }]);
    for (const family of ["-4", "-6"])
      expect(await one.namespace.json(`ip -j ${family} route show default`)).toHaveLength(1);
    await one.check(result);
    await one.del();
  }));

test("K19: a configuration that can't be is refused before anything is touched, by ADD and by STATUS", () =>
  withNetwork(async (host) => {
    const one = new Attachment(
      host,
      await host.addNamespace("c1"),
      withRoutes([{ dst: "1.0.0.0/8", gw: "10.77.0.255" }], V4),
    );
    const before = await host.state();
    for (const command of ["ADD", "STATUS"]) {
      const { code, msg } = await one.failure(command);
      expect({ code, msg }).toEqual({
        code: 7,
        msg: expect.stringContaining("ipam.routes[0].gw: gateway 10.77.0.255"),
      });
    }
    // Not even a directory for leases.
    expectUnchanged(before, await host.state());
    // What was added with another configuration can still be deleted.
    await one.del();
  }));

/** The error of an ADD whose IPAM plugin gives this result; afterwards the host is as before. */
async function refusalOf(host: ScratchHost, result: object): Promise<ErrorDocument> {
  const folder = "/run/ipam";
  mkdirSync(folder);
  writeFileSync(
    `${folder}/odd`,
    `#!/bin/sh\ncat >/dev/null\n[ $CNI_COMMAND != ADD ] || echo '${JSON.stringify(result)}'\n`,
  );
  chmodSync(`${folder}/odd`, 0o755);
  const container = await host.addNamespace("c1");
  const before = await host.state();
  const outcome = await host.plugin("bridge", {
    command: "ADD",
    containerId: "c1",
    netns: container.path,
    ifname: "eth0",
    path: `${folder}:${builtBinaries()}`,
    config: configuration({ ipam: { type: "odd" } }),
  });
  expect(outcome.exitCode).toBe(1);
  expectUnchanged(before, await host.state());
  rmSync(folder, { recursive: true });
  return outcome.json<ErrorDocument & Record<string, unknown>>();
}

test("K19: what only the IPAM plugin's result shows is found before the container is touched, and undone", () =>
  withNetwork(async (host) => {
    const { code, msg } = await refusalOf(host, {
      cniVersion: "1.0.0",
      ips: [{ address: "10.0.0.5/32", gateway: "10.0.0.1" }],
      routes: [{ dst: "0.0.0.0/0" }],
    });
    expect(code).toBe(7);
    expect(msg).toContain("gateway of address 10.0.0.5/32 of the IPAM plugin: gateway 10.0.0.1");
  }));

test("B18: an IPAM plugin that gives no address is refused, and the ADD is undone", () =>
  withNetwork(async (host) => {
    const { code, msg } = await refusalOf(host, { cniVersion: "1.0.0", routes: [{ dst: "0.0.0.0/0" }] });
    expect(code).toBe(999);
    expect(msg).toContain('IPAM plugin returned missing IP config: "odd" gave no address');
  }));

const DESTINATIONS = {
  4: ["1.0.0.0/8", "1.2.3.4/8", "0.0.0.0/0", "10.77.0.0/24", "224.0.0.0/4", "9.9.9.9/32"],
  6: ["2001:db8::/32", "2001:db8::1/32", "::/0", "fd77::/64", "2001::9/128"],
} as const;
const GATEWAYS = {
  4: [
    "10.77.0.1",
    "10.77.0.5",
    "10.77.0.255",
    "10.99.0.1",
    "224.0.0.1",
    "127.0.0.1",
    "255.255.255.255",
    "1.2.3.4",
  ],
  6: ["fd77::1", "fd77::5", "fd77::", "fd99::1", "fe80::1", "ff02::1", "::1", "::", "2001:db8::7"],
} as const;

const optional = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
const routeOf = (family: 4 | 6) =>
  fc.record(
    {
      dst: fc.constantFrom(...DESTINATIONS[family]),
      gw: optional(...GATEWAYS[family], ...GATEWAYS[family], GATEWAYS[family === 4 ? 6 : 4][0]),
      scope: optional(0, 200, 253, 254, 255),
      table: optional(100, 254),
      priority: optional(5, 1024),
    },
    { requiredKeys: ["dst"] },
  );
const route = fc.oneof(routeOf(4), routeOf(6));
type Route = (typeof route extends fc.Arbitrary<infer T> ? T : never) & { gw?: string | undefined };

/** The route as `ip` takes it, with what the plugin makes of a route without a gateway (B23). */
function command({ dst, gw, scope, table, priority }: Route): string {
  const gateway = gw ?? ((scope ?? 0) >= 253 ? undefined : dst.includes(":") ? "fd77::1" : "10.77.0.1");
  const words = [
    ...(gateway === undefined ? [] : ["via", gateway]),
    ...(scope === undefined || dst.includes(":") ? [] : ["scope", scope]),
    ...(table === undefined ? [] : ["table", table]),
    ...(priority === undefined ? [] : ["metric", priority]),
  ];
  return `ip ${dst.includes(":") ? "-6" : "-4"} route prepend ${dst} dev own0 ${words.join(" ")}`;
}

test(
  "K19: no route is left for the kernel to refuse, and none is refused that `ip route` accepts",
  () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const other = await host.addNamespace("other");
      await other.run("ip link add own0 type bridge && ip link set own0 up");
      const refuses: string[] = [];
      for (const routes of fc.sample(fc.array(route, { minLength: 1, maxLength: 2 }), {
        numRuns: 80,
        seed: 19,
      })) {
        const one = new Attachment(host, container, withRoutes(routes as object[], V4, V6));
        const outcome = await one.call("ADD");
        if (outcome.exitCode !== 0) {
          const { code, msg } = outcome.json<ErrorDocument & Record<string, unknown>>();
          expect({ code, msg, routes }).toEqual({
            code: 7,
            msg: expect.stringContaining("ipam.routes["),
            routes,
          });
          await other.run("ip addr add 10.77.0.2/24 dev own0 && ip addr add fd77::2/64 dev own0 nodad");
          const attempts = [];
          for (const one of routes) attempts.push(await outcomeOf(other.inside(command(one as Route))));
          expect({ routes, msg, accepted: attempts.every(({ exitCode }) => exitCode === 0) }).toEqual({
            routes,
            msg,
            accepted: false,
          });
          await other.run(
            "ip addr flush dev own0; ip route flush table 100; ip -6 route flush table 100; ip -6 route flush dev own0; true",
          );
          refuses.push(msg);
        }
        await one.del();
      }
      // The sample holds both kinds.
      expect(refuses.length).toBeGreaterThan(20);
      expect(refuses.length).toBeLessThan(79);
    }),
  TEST_LIMIT,
);
