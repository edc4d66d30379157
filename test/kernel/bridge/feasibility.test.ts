/**
 * K18, K19: routes that lead nowhere are left out, and no mistake of a configuration is left for the kernel to find.
 * What is refused, `ip route` refuses as well.
 */

import { expect } from "bun:test";
import fc from "fast-check";
import { outcomeOf } from "../../support/command.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import {
  type AddResult,
  Attachment,
  type ErrorDocument,
  hostLocal,
  networkTest,
  prepare,
  V4,
  V6,
  wholeLife,
} from "./network.ts";

const withRoutes = (routes: object[], ...ranges: object[]) => ({
  isGateway: true,
  ipam: { ...hostLocal(...ranges), routes },
});

networkTest.each([
  ["IPv6 in a network of IPv4", V4, "::/0", "0.0.0.0/0", "-6"],
  ["IPv4 in a network of IPv6", V6, "0.0.0.0/0", "::/0", "-4"],
])(
  "K18: a route of %s is left out of container and result, and that is said",
  async (host, _what, range, useless, useful, family) => {
    const one = await prepare(host, "c1", withRoutes([{ dst: useless }, { dst: useful }], range));
    const outcome = await one.call("ADD");
    expect(outcome.exitCode).toBe(0);
    expect(outcome.stderr).toContain(`left out the route to ${useless}`);
    const result = outcome.json<AddResult>();
    expect(result.routes).toEqual([{ dst: useful }]);
    expect(await one.namespace.json<object[]>(`ip -j ${family} route show default`)).toEqual([]);
    await one.check(result);
    await one.del();
  },
);

networkTest("K19: a route that is listed twice is one, in the container and in the result", (host) => {
  const gw = "10.77.0.1";
  const list = [{ dst: "0.0.0.0/0" }, { dst: "0.0.0.0/0", gw }, { dst: "::/0" }, { dst: "::/0" }];
  return wholeLife(host, withRoutes(list, V4, V6), async ({ namespace, result }) => {
    expect(result.routes).toEqual([{ dst: "0.0.0.0/0" }, { dst: "::/0" }]);
    for (const family of ["-4", "-6"])
      expect(await namespace.json<object[]>(`ip -j ${family} route show default`)).toHaveLength(1);
  });
});

networkTest(
  "K19: a configuration that can't be is refused before anything is touched, by ADD and by STATUS",
  async (host) => {
    const one = await prepare(host, "c1", withRoutes([{ dst: "1.0.0.0/8", gw: "10.77.0.255" }], V4));
    const msg = expect.stringContaining("ipam.routes[0].gw: gateway 10.77.0.255");
    // Not even a directory for leases is made.
    await host.unchangedBy(async () => {
      for (const command of ["ADD", "STATUS"])
        expect(await one.failure(command)).toMatchObject({ code: 7, msg });
    });
    // What was added with another configuration can still be deleted.
    await one.del();
  },
);

/** The error of an ADD whose IPAM plugin gives this result; afterwards the host is as before. */
async function refusalOf(host: ScratchHost, result: object): Promise<ErrorDocument> {
  using folder = new ProgramFolder();
  folder.script("odd", `cat >/dev/null\n[ $CNI_COMMAND != ADD ] || echo '${JSON.stringify(result)}'`);
  const one = await prepare(host, "c1", { ipam: { type: "odd" } });
  const request = { ...one.request("ADD"), path: folder.path };
  const outcome = await host.unchangedBy(() => host.plugin("bridge", request));
  expect(outcome.exitCode).toBe(1);
  return outcome.json<ErrorDocument>();
}

networkTest(
  "K19: what only the IPAM plugin's result shows is found before the container is touched, and undone",
  async (host) => {
    const ips = [{ address: "10.0.0.5/32", gateway: "10.0.0.1" }];
    const refusal = await refusalOf(host, { cniVersion: "1.0.0", ips, routes: [{ dst: "0.0.0.0/0" }] });
    const words = "gateway of address 10.0.0.5/32 of the IPAM plugin: gateway 10.0.0.1";
    expect(refusal).toMatchObject({ code: 7, msg: expect.stringContaining(words) });
  },
);

networkTest("B18: an IPAM plugin that gives no address is refused, and the ADD is undone", async (host) => {
  const refusal = await refusalOf(host, { cniVersion: "1.0.0", routes: [{ dst: "0.0.0.0/0" }] });
  const words = 'IPAM plugin returned missing IP config: "odd" gave no address';
  expect(refusal).toMatchObject({ code: 999, msg: expect.stringContaining(words) });
});

const DESTINATIONS = {
  4: ["1.0.0.0/8", "1.2.3.4/8", "0.0.0.0/0", "10.77.0.0/24", "224.0.0.0/4", "9.9.9.9/32"],
  6: ["2001:db8::/32", "2001:db8::1/32", "::/0", "fd77::/64", "2001::9/128"],
} as const;
const GATEWAYS = {
  4: [
    ...["10.77.0.1", "10.77.0.5", "10.77.0.255", "10.99.0.1", "224.0.0.1", "127.0.0.1"],
    ...["255.255.255.255", "1.2.3.4"],
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

networkTest(
  "K19: no route is left for the kernel to refuse, and none is refused that `ip route` accepts",
  async (host) => {
    const [container, other] = [await host.addNamespace("c1"), await host.addNamespace("other")];
    await other.run("ip link add own0 type bridge && ip link set own0 up");
    let refused = 0;
    const sample = fc.sample(fc.array(route, { minLength: 1, maxLength: 2 }), { numRuns: 80, seed: 19 });
    for (const routes of sample) {
      const one = new Attachment(host, container, withRoutes(routes as object[], V4, V6));
      const outcome = await one.call("ADD");
      if (outcome.exitCode !== 0) {
        refused++;
        const { code, msg } = outcome.json<ErrorDocument>();
        expect({ code, msg, routes }).toMatchObject({
          code: 7,
          msg: expect.stringContaining("ipam.routes["),
        });
        await other.run("ip addr add 10.77.0.2/24 dev own0 && ip addr add fd77::2/64 dev own0 nodad");
        const attempts = [];
        for (const one of routes) attempts.push(await outcomeOf(other.inside(command(one as Route))));
        const accepted = attempts.every(({ exitCode }) => exitCode === 0);
        expect({ routes, msg, accepted }).toMatchObject({ accepted: false });
        await other.run(
          "ip addr flush dev own0; ip route flush table 100; ip -6 route flush table 100; ip -6 route flush dev own0; true",
        );
      }
      await one.del();
    }
    // The sample holds both kinds.
    expect(refused).toBeGreaterThan(20);
    expect(refused).toBeLessThan(79);
  },
);
