/** A bridge that an administrator made: taken as it is, and what ADD reports of it stays true. */
import { describe, expect } from "bun:test";
import { type Attachment, attach, BRIDGE, networkTest, shownLink, wholeLife } from "./network.ts";

describe("an adopted bridge", () => {
  // Without a MAC that was set, the kernel gives a bridge the lowest of its ports', again and again.
  networkTest.each([
    ["a gateway", { isGateway: true }],
    ["layer 2 alone", { ipam: {} }],
  ])("G21, B32: the MAC stays while ports come and go, for %s", async (host, _what, keys) => {
    await host.run(`ip link add ${BRIDGE} up type bridge`);
    const { address } = await shownLink(host, BRIDGE);
    const all: Attachment[] = [];
    for (const name of ["c1", "c2", "c3"]) {
      const one = await attach(host, name, keys);
      expect(one.result.interfaces[0]?.mac).toBe(address);
      await one.check();
      all.push(one);
    }
    for (const one of all) await one.del();
    expect((await shownLink(host, BRIDGE)).address).toBe(address);
  });

  networkTest("G21: the MAC of a gateway stays when the port goes that it was of", async (host) => {
    await host.run(
      `ip link add ${BRIDGE} up type bridge; ip link add low0 address 02:00:00:00:00:01 type veth peer name low1; ip link set low0 master ${BRIDGE}`,
    );
    await wholeLife(host, { isGateway: true }, async ({ result }) => {
      expect(result.interfaces[0]?.mac).toBe("02:00:00:00:00:01");
      await host.run("ip link del low0");
    });
  });

  networkTest("B32: the mtu is reported as the port has made it", async (host) => {
    await host.run(`ip link add ${BRIDGE} up type bridge`);
    await wholeLife(host, { mtu: 1400, ipam: {} }, async ({ result }) => {
      expect(result.interfaces.map(({ mtu }) => mtu)).toEqual([1400, 1400, 1400]);
      expect((await shownLink(host, BRIDGE)).mtu).toBe(1400);
    });
  });
});
