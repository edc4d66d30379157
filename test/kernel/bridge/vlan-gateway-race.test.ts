/**
 * Races of two ADDs that create the gateway of a VLAN (G20), with a kernel that plays the other ADD. In a scratch host, since
 * the lock of the host is a file.
 */

import { expect, test } from "bun:test";
import { UndoStack } from "../../../src/cni/undo.ts";
import type { PresentLink } from "../../../src/links/link.ts";
import { ensureVlanGateway } from "../../../src/links/vlan-gateway.ts";
import { Connection } from "../../../src/netlink/connection.ts";
import { encode } from "../../../src/netlink/encode.ts";
import type { Message } from "../../../src/netlink/message.ts";
import { encodeBridgePort } from "../../../src/netlink/rtnetlink/bridge-port.ts";
import { decodeLink, LINK, type Link } from "../../../src/netlink/rtnetlink/link.ts";
import { acknowledgement, answer, each, FakeKernel, refusal } from "../../netlink/fake-kernel.ts";
import { endlessTime } from "../../support/call-time.ts";

const [RTM_NEWLINK, RTM_GETLINK] = [16, 18];
const [ENODEV, EEXIST] = [19, 17];

const bridge: PresentLink = { index: 2, name: "test-br", kind: "bridge", mtu: 1500 };
const port: PresentLink = { index: 9, name: "test-port", kind: "veth", master: 2 };
const gateway: Link = { index: 7, name: "test-br.10", kind: "veth", peerIndex: 8 };
const end: Link = {
  index: 8,
  name: "test-end",
  kind: "veth",
  peerIndex: 7,
  master: 2,
  operstate: 6,
  portKind: "bridge",
  portData: encodeBridgePort({ state: 3 }),
};

const isCreation = ({ type, flags }: Message) => type === RTM_NEWLINK && (flags & 0x400) !== 0;

/** A kernel that refuses the first `refusals` pairs, and shows the gateway from the `from`th look on. */
function kernel(refusals: number, from: number): FakeKernel {
  let [creations, looks] = [0, 0];
  return new FakeKernel(
    each((request) => {
      const found = (link: Link) => [
        answer(request, RTM_NEWLINK, encode(LINK, link)),
        acknowledgement(request),
      ];
      if (request.type === RTM_GETLINK && decodeLink(request.payload).index === end.index) return found(end);
      if (request.type === RTM_GETLINK) return ++looks >= from ? found(gateway) : [refusal(request, ENODEV)];
      const isRefused = isCreation(request) && ++creations <= refusals;
      return [isRefused ? refusal(request, EEXIST) : acknowledgement(request)];
    }),
  );
}

/** The outcome: the link's index, the number of requested pairs, and whether there is something to undo. */
async function ensure(fake: FakeKernel) {
  const undo = new UndoStack();
  const plan = { vlan: 10, preserveDefaultVlan: false };
  using host = new Connection(fake);
  const { link } = ensureVlanGateway({ host, undo, log: () => {} }, bridge, plan, port);
  const asked = fake.received.flat();
  const undone = asked.length;
  await undo.run({ log: () => {}, time: endlessTime });
  return {
    index: link.index,
    creations: asked.filter(isCreation).length,
    undoes: fake.received.flat().length > undone,
  };
}

test("G20: creates a missing gateway", async () => {
  expect(await ensure(kernel(0, 2))).toEqual({ index: 7, creations: 1, undoes: true });
});

test("G20: uses an existing gateway", async () => {
  expect(await ensure(kernel(0, 1))).toEqual({ index: 7, creations: 0, undoes: false });
});

test("G20: uses a gateway that another ADD creates after it was looked for", async () => {
  expect(await ensure(kernel(1, 2))).toEqual({ index: 7, creations: 1, undoes: false });
});

test("G19: tries another port name if the first one is taken", async () => {
  expect(await ensure(kernel(1, 3))).toEqual({ index: 7, creations: 2, undoes: true });
});

test("G20: a gateway that another program deletes at once is an error with code 11", async () => {
  await expect(ensure(kernel(0, 9))).rejects.toMatchObject({
    code: 11,
    message: expect.stringContaining("vanished"),
  });
});
