/** The layers that read what the kernel or the disk gives: netlink replies, the lease index. */

import { DamagedIndexError, hashOf, LeaseIndex, type ReadIndex } from "../../src/leases/lease-index.ts";
import { formatIp, type IpAddress } from "../../src/net/ip.ts";
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

/** What was damaged of an index is not used; what was not gives what was put in. */
function indexes(chance: Chance): void {
  const index = new LeaseIndex(chance.below(90));
  const contents = new Map<string, string>();
  for (let n = chance.below(90); n > 0; n--) {
    const [address, content] = [anyAddress(chance), `c${chance.below(5)}`];
    if (contents.has(formatIp(address))) continue;
    contents.set(formatIp(address), content);
    index.insert({ hash: hashOf(content), address, ...FILE });
  }
  const sealed = new Uint8Array(index.size);
  index.seal("boot", "state", ({ buffer, byteOffset, byteLength }, offset) => {
    sealed.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
  });
  const isDamaged = !chance.oneIn(5);
  const bytes = isDamaged ? mutateBytes(chance, sealed) : sealed;
  const read: ReadIndex = ({ buffer, byteLength }, offset) =>
    new Uint8Array(buffer).set(bytes.subarray(offset, offset + byteLength));
  try {
    const found = LeaseIndex.open(read, bytes.length, "boot");
    for (let n = 0; found !== undefined && n < 5; n++)
      for (const address of found.find(`c${n}`))
        if (contents.get(formatIp(address)) !== `c${n}`) throw new Error("another address");
    const all = found === undefined ? [] : [...found.entries()];
    if (found !== undefined && Buffer.compare(bytes, sealed) !== 0)
      throw new Error("a damaged index was used");
    if (found !== undefined && all.length !== contents.size) throw new Error("another number of rows");
    const address = anyAddress(chance);
    found?.run(address);
    found?.insert({ hash: hashOf("c9"), address, ...FILE });
  } catch (error) {
    if (!(error instanceof DamagedIndexError) || !isDamaged) throw error;
  }
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
