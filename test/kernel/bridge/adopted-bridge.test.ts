/** A bridge that an administrator made: taken as it is, and what ADD reports of it stays true. */
import { describe, expect, test } from "bun:test";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { Attachment, BRIDGE, configuration, shownLink, withNetwork } from "./network.ts";

/** Attaches three containers, whose ports have lower MACs each than those before. Returns what was reported of the bridge. */
async function attachThree(host: ScratchHost, config: Record<string, unknown>) {
  const attachments: Attachment[] = [];
  const reported: string[] = [];
  for (const name of ["c1", "c2", "c3"]) {
    const attachment = new Attachment(host, await host.addNamespace(name), config);
    const result = await attachment.add();
    reported.push(result.interfaces[0]?.mac ?? "");
    attachments.push(attachment);
    await attachment.check(result);
  }
  return { attachments, reported };
}

describe("an adopted bridge", () => {
  // The kernel gives such a bridge the lowest MAC of its ports, again and again.
  test("G21, B32: the MAC of a gateway stays while ports come and go", () =>
    withNetwork(async (host) => {
      await host.run(`ip link add ${BRIDGE} type bridge`);
      const { address } = await shownLink(host, BRIDGE);
      const { attachments, reported } = await attachThree(host, configuration({ isGateway: true }));
      expect(reported).toEqual([address, address, address]);
      for (const attachment of attachments) await attachment.del();
      expect((await shownLink(host, BRIDGE)).address).toBe(address);
    }));

  test("B32: without a gateway the MAC is reported as it is when ADD returns", () =>
    withNetwork(async (host) => {
      await host.run(`ip link add ${BRIDGE} type bridge`);
      const { attachments, reported } = await attachThree(host, configuration({ ipam: {} }));
      expect(reported.at(-1)).toBe((await shownLink(host, BRIDGE)).address);
      for (const attachment of attachments) await attachment.del();
    }));
});
