/** The layers that read what the kernel or the disk gives: netlink replies, the lease index. */

import { hashOf, LeaseIndex } from "../../src/leases/lease-index.ts";
import type { IpAddress } from "../../src/net/ip.ts";
import { Connection } from "../../src/netlink/connection.ts";
import { decode } from "../../src/netlink/decode.ts";
import { encode } from "../../src/netlink/encode.ts";
import { DecodeError, NetlinkError } from "../../src/netlink/error.ts";
import { decodeMessages, type Message } from "../../src/netlink/message.ts";
import { decodeChain } from "../../src/netlink/nftables/chain.ts";
import { decodeElements } from "../../src/netlink/nftables/element.ts";
import { decodeRule } from "../../src/netlink/nftables/rule.ts";
import { decodeSet } from "../../src/netlink/nftables/set.ts";
import { decodeTable } from "../../src/netlink/nftables/table.ts";
import { decodeAddress } from "../../src/netlink/rtnetlink/address.ts";
import { decodeLink, LINK } from "../../src/netlink/rtnetlink/link.ts";
import { NEIGHBOUR } from "../../src/netlink/rtnetlink/neighbour.ts";
import { decodeRoute } from "../../src/netlink/rtnetlink/route.ts";
import { decodePortVlans } from "../../src/netlink/rtnetlink/vlan.ts";
import { type Protocol, readGoldens } from "../golden/golden.ts";
import { FakeKernel } from "../netlink/fake-kernel.ts";
import type { Chance } from "./chance.ts";
import type { Layer } from "./layer.ts";
import { mutateBytes } from "./mutate.ts";

const datagramsOf = (family: Protocol): Uint8Array[] =>
  readGoldens(family).flatMap((golden) => golden.datagrams.map(({ bytes }) => bytes));
const ROUTE = datagramsOf("rtnetlink");
const NFTABLES = datagramsOf("nftables");

const ROUTE_DECODERS: readonly ((message: Message) => unknown)[] = [
  ({ payload }) => decodeLink(payload),
  // What was not understood is kept, and can be sent again.
  ({ payload }) => encode(LINK, decodeLink(payload)),
  ({ payload }) => decodeAddress(payload),
  ({ payload }) => decodeRoute(payload),
  ({ payload }) => decode(NEIGHBOUR, payload),
  ({ payload }) => decodePortVlans(payload),
];
const NFTABLES_DECODERS: readonly ((message: Message) => unknown)[] = [
  ...[decodeTable, decodeChain, decodeRule, decodeSet, decodeElements],
];

/** @throws anything but a DecodeError */
function unlessUndecodable<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

const replies =
  (datagrams: readonly Uint8Array[], decoders: readonly ((message: Message) => unknown)[]) =>
  (chance: Chance): void => {
    const bytes = chance.oneIn(8)
      ? chance.bytes(chance.below(120))
      : mutateBytes(chance, chance.of(datagrams));
    const messages = unlessUndecodable(() => decodeMessages(bytes)) ?? [];
    for (const message of messages) for (const decode of decoders) unlessUndecodable(() => decode(message));
  };

/** The end of what a fake kernel sends: a real one would be waited for. */
const SILENCE = "nothing more comes from the fake kernel";

/** A request ends with replies or an error of netlink's, whatever comes. */
function conversations(chance: Chance): void {
  const answers = Array.from({ length: 1 + chance.below(3) }, () => mutateBytes(chance, chance.of(ROUTE)));
  // Half of them with the right number, so that they are for this request.
  for (const answer of answers) if (answer.length > 12 && chance.oneIn(2)) answer.set([1, 0, 0, 0], 8);
  const connection = new Connection(new FakeKernel(() => answers));
  const request = { action: "try", type: 18, flags: 0, payload: new Uint8Array(16) };
  try {
    if (chance.oneIn(2)) connection.dump(request, (message) => message);
    else connection.callAll([request, request]);
  } catch (error) {
    if (error instanceof DecodeError || error instanceof NetlinkError) return;
    if (!(error instanceof Error && error.message === SILENCE)) throw error;
  }
}

/** An index that was damaged is not opened; one that was not gives what was put in. */
function indexes(chance: Chance): void {
  const index = new LeaseIndex();
  const count = chance.below(40);
  for (let n = 0; n < count; n++) {
    index.insert({ hash: hashOf(`c${chance.below(5)}`), address: anyAddress(chance), ...FILE });
  }
  const sealed = index.seal("boot", "state");
  const damaged = chance.oneIn(5) ? sealed : mutateBytes(chance, sealed);
  const found = LeaseIndex.open(Uint8Array.from(damaged), "boot");
  if (found === undefined) return;
  if (Buffer.compare(damaged, sealed) !== 0) throw new Error("a damaged index was opened");
  for (let row = 0; row < count; row++)
    if (found.entry(row).address.value !== index.entry(row).address.value) throw new Error("another address");
  const address = anyAddress(chance);
  found.firstFree({ family: address.family, from: address.value, to: address.value + 99n });
  found.insert({ hash: hashOf("c9"), address, ...FILE });
}

const FILE = { inode: 7n, changed: 1n };

const anyAddress = (chance: Chance): IpAddress =>
  chance.oneIn(2)
    ? { family: 4, value: 0x0a000000n + BigInt(chance.below(9000)) }
    : { family: 6, value: (0xfd00n << 112n) + BigInt(chance.below(9000)) };

export const KERNEL_LAYERS: readonly Layer[] = [
  { name: "rtnetlink replies", attempt: replies(ROUTE, ROUTE_DECODERS) },
  { name: "nf_tables replies", attempt: replies(NFTABLES, NFTABLES_DECODERS) },
  { name: "conversations", attempt: conversations },
  { name: "lease indexes", attempt: indexes },
];
