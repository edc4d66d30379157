/** Many ADDs and DELs at once, onto a bridge that does not exist (pains of first pods; A41, G21). */
import { describe, expect } from "bun:test";
import { inParallel } from "../../support/parallel.ts";
import {
  type Attachment,
  addressesOn,
  BRIDGE,
  FULL_RANGE,
  hostLocal,
  linkNames,
  networkTest,
  portsOf,
  prepare,
  shownLink,
  V4,
  V6,
} from "./network.ts";

const MANY = 100;

describe("in parallel", () => {
  networkTest(
    `${MANY} first ADDs make one bridge with one gateway address and a constant MAC; ${MANY} DELs take all away`,
    async (host) => {
      const all: Attachment[] = [];
      for (let index = 0; index < MANY; index++)
        all.push(await prepare(host, `c${index}`, { isGateway: true, ipam: hostLocal(V4, V6) }));
      // Each start of the program needs its memory.
      const results = await inParallel(all, 32, (one) => one.add());

      expect(new Set(results.flatMap(({ ips }) => ips.map(({ address }) => address))).size).toBe(2 * MANY);
      expect(new Set(all.map(({ veth }) => veth)).size).toBe(MANY);
      const { address: mac } = await shownLink(host, BRIDGE);
      expect(new Set(results.map(({ interfaces }) => interfaces[0]?.mac))).toEqual(new Set([mac]));
      expect(await linkNames(host, "type bridge")).toEqual([BRIDGE]);
      expect(await addressesOn(host, BRIDGE)).toEqual(["10.77.0.1/24", "fd77::1/64"]);
      expect(await portsOf(host)).toHaveLength(MANY);
      await all[0]?.namespace.run("ping -c1 -W2 10.77.0.1");

      const outcomes = await inParallel(all, 32, (one) => one.call("DEL"));
      expect(outcomes.filter(({ exitCode }) => exitCode !== 0).map(String)).toEqual([]);
      expect(await linkNames(host, "type veth")).toEqual([]);
      expect((await shownLink(host, BRIDGE)).address).toBe(mac);
    },
  );

  networkTest(
    "ADDs that fail, and take back the bridge that they made, do not harm those that succeed",
    async (host) => {
      for (let round = 0; round < 5; round++) {
        const [good, bad] = [[] as Attachment[], [] as Attachment[]];
        for (let index = 0; index < 8; index++) {
          good.push(await prepare(host, `r${round}c${index}`, { isGateway: true }));
          // This ADD fails after it may have made the bridge.
          bad.push(await prepare(host, `r${round}b${index}`, { isGateway: true, ipam: FULL_RANGE }));
        }
        const mixed = good.flatMap((one, index) => [one, bad[index] ?? one]);
        const outcomes = await inParallel(mixed, 16, (one) => one.call("ADD"));
        expect(outcomes.map(({ exitCode }) => exitCode)).toEqual(good.flatMap(() => [0, 1]));
        expect(await portsOf(host)).toHaveLength(8);
        for (const one of good) {
          await one.namespace.run("ping -c1 -W2 10.77.0.1");
          await one.del();
        }
        await host.run(`ip link del ${BRIDGE}`);
        await host.removeNamespaces();
      }
    },
  );
});
