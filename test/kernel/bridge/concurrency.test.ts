/** Many ADDs and DELs at once, onto a bridge that does not exist (pains of first pods; A41, G21). */
import { describe, expect, test } from "bun:test";
import type { NamedNamespace } from "../../support/scratch-host.ts";
import { Attachment, BRIDGE, configuration, hostLocal, shownLink, V4, V6, withNetwork } from "./network.ts";

const MANY = 100;

/** Runs all at once, at most `width` side by side: each start of the program needs its memory. */
async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  each: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await each(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

describe("in parallel", () => {
  test(`${MANY} first ADDs make one bridge with one gateway address and a constant MAC; ${MANY} DELs take all away`, () =>
    withNetwork(async (host) => {
      const names = Array.from({ length: MANY }, (_, index) => `c${index}`);
      const namespaces: NamedNamespace[] = [];
      for (const name of names) namespaces.push(await host.addNamespace(name));
      const config = configuration({ isGateway: true, ipam: hostLocal(V4, V6) });
      const attachments = namespaces.map((namespace) => new Attachment(host, namespace, config));
      const results = await inParallel(attachments, 32, (attachment) => attachment.add());

      expect(new Set(results.flatMap(({ ips }) => ips.map(({ address }) => address))).size).toBe(2 * MANY);
      expect(new Set(results.map(({ interfaces }) => interfaces[1]?.name)).size).toBe(MANY);
      expect(new Set(results.map(({ interfaces }) => interfaces[0]?.mac))).toEqual(
        new Set([(await shownLink(host, BRIDGE)).address]),
      );
      const bridges = await host.json<{ ifname: string }[]>("ip -j link show type bridge");
      expect(bridges.map(({ ifname }) => ifname)).toEqual([BRIDGE]);
      const addresses = await host.run(`ip -o addr show dev ${BRIDGE} scope global`);
      expect(addresses.match(/inet6? \S+/g)).toEqual(["inet 10.77.0.1/24", "inet6 fd77::1/64"]);
      expect(await host.json(`ip -j link show master ${BRIDGE}`)).toHaveLength(MANY);
      await namespaces[0]?.run("ping -c1 -W2 10.77.0.1");

      const outcomes = await inParallel(attachments, 32, (attachment) => attachment.call("DEL"));
      expect(outcomes.filter(({ exitCode }) => exitCode !== 0).map(String)).toEqual([]);
      expect(await host.run("ip -br link show type veth")).toBe("");
      expect((await shownLink(host, BRIDGE)).address).toBe(results[0]?.interfaces[0]?.mac ?? "");
    }));

  test("ADDs that fail, and take back the bridge that they made, do not harm those that succeed", () =>
    withNetwork(async (host) => {
      const good = configuration({ isGateway: true, ipam: hostLocal(V4) });
      // The only address of the range is the gateway's: this ADD fails after it may have made the bridge.
      const bad = configuration({
        isGateway: true,
        ipam: hostLocal({ ...V4, rangeStart: "10.77.0.1", rangeEnd: "10.77.0.1" }),
      });
      for (let round = 0; round < 5; round++) {
        const attachments: Attachment[] = [];
        for (let index = 0; index < 16; index++) {
          attachments.push(
            new Attachment(host, await host.addNamespace(`r${round}c${index}`), index % 2 === 0 ? good : bad),
          );
        }
        const outcomes = await inParallel(attachments, 16, (attachment) => attachment.call("ADD"));
        expect(outcomes.map(({ exitCode }) => exitCode)).toEqual(
          attachments.map(({ config }) => (config === good ? 0 : 1)),
        );
        const ports = await host.json<unknown[]>(`ip -j link show master ${BRIDGE}`);
        expect(ports).toHaveLength(8);
        for (const attachment of attachments.filter(({ config }) => config === good)) {
          await attachment.namespace.run("ping -c1 -W2 10.77.0.1");
          await attachment.del();
        }
        await host.run(`ip link del ${BRIDGE}`);
        await host.removeNamespaces();
      }
    }));
});
