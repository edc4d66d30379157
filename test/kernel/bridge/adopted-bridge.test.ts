/** A bridge that an administrator made: taken as it is, and what ADD reports of it stays true. */
import { describe, expect, test } from "bun:test";
import { Attachment, BRIDGE, configuration, shownLink, withNetwork } from "./network.ts";

const CONFIGS: readonly [string, Record<string, unknown>][] = [
  ["a gateway", configuration({ isGateway: true })],
  ["layer 2 alone", configuration({ ipam: {} })],
];

describe("an adopted bridge", () => {
  // Without a MAC that was set, the kernel gives a bridge the lowest of its ports', again and again.
  test.each([...CONFIGS])("G21, B32: the MAC stays while ports come and go, for %s", (_what, config) =>
    withNetwork(async (host) => {
      await host.run(`ip link add ${BRIDGE} up type bridge`);
      const { address } = await shownLink(host, BRIDGE);
      const attachments: Attachment[] = [];
      for (const name of ["c1", "c2", "c3"]) {
        const attachment = new Attachment(host, await host.addNamespace(name), config);
        const result = await attachment.add();
        expect(result.interfaces[0]?.mac).toBe(address);
        attachments.push(attachment);
        await attachment.check(result);
      }
      for (const attachment of attachments) await attachment.del();
      expect((await shownLink(host, BRIDGE)).address).toBe(address);
    }),
  );

  test("G21: the MAC of a gateway stays when the port goes that it was of", () =>
    withNetwork(async (host) => {
      await host.run(
        `ip link add ${BRIDGE} up type bridge; ip link add low0 address 02:00:00:00:00:01 type veth peer name low1; ip link set low0 master ${BRIDGE}`,
      );
      const attachment = new Attachment(
        host,
        await host.addNamespace("c1"),
        configuration({ isGateway: true }),
      );
      const result = await attachment.add();
      expect(result.interfaces[0]?.mac).toBe("02:00:00:00:00:01");
      await host.run("ip link del low0");
      await attachment.check(result);
      await attachment.del();
    }));

  test("B32: the mtu is reported as the port has made it", () =>
    withNetwork(async (host) => {
      await host.run(`ip link add ${BRIDGE} up type bridge`);
      const attachment = new Attachment(
        host,
        await host.addNamespace("c1"),
        configuration({ mtu: 1400, ipam: {} }),
      );
      const result = await attachment.add();
      expect(result.interfaces.map(({ mtu }) => mtu)).toEqual([1400, 1400, 1400]);
      expect((await shownLink(host, BRIDGE)).mtu).toBe(1400);
      await attachment.check(result);
      await attachment.del();
    }));
});
