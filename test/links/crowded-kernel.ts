/**
 * A kernel with one host veth that says no attachment, and a namespace at its other end that has as many addresses as are
 * wanted: 2001:db8::1 and on. As a program, `bun crowded-kernel.ts users COUNT` looks for the users of two addresses, the
 * last that the namespace has and one that it has not, and `… check COUNT` for these two on the interface itself; each
 * prints what it found.
 */

import { AddressUsers } from "../../src/links/address-users.ts";
import { parseIp } from "../../src/net/ip.ts";
import { Connection, type Transport } from "../../src/netlink/connection.ts";
import { encode } from "../../src/netlink/encode.ts";
import { decodeMessages, encodeMessages, flag, type Message } from "../../src/netlink/message.ts";
import { encodeAddress, RTM_GETADDR, RTM_NEWADDR } from "../../src/netlink/rtnetlink/address.ts";
import { LINK, RTM_NEWLINK } from "../../src/netlink/rtnetlink/link.ts";
import { RTM_GETNSID, RTM_NEWNSID } from "../../src/netlink/rtnetlink/netns-id.ts";
import { verifyAddresses } from "../../src/plugins/bridge/check-addressing.ts";
import { Mismatches } from "../../src/plugins/bridge/mismatches.ts";
import { answer, done, part, refusal } from "../netlink/fake-kernel.ts";
import { endlessTime } from "../support/call-time.ts";

const [VETH, PEER, NETNS] = [5, 2, 7];
const ENODEV = 19;
/** Addresses in one datagram, as a kernel sends them. */
const AT_ONCE = 100;

export class CrowdedKernel implements Transport {
  /** Walks through addresses so far, of this namespace and of the other. */
  looks = 0;
  private readonly addresses: number;
  private replies: Iterator<readonly Message[]> = [][Symbol.iterator]();

  constructor(addresses: number) {
    this.addresses = addresses;
  }

  send(datagram: Uint8Array): void {
    const [request] = decodeMessages(datagram);
    if (request === undefined) throw new Error("an empty datagram");
    this.replies = this.answersTo(request);
  }

  receive(): Uint8Array {
    const { done: isOver, value } = this.replies.next();
    if (isOver) throw new Error("nothing more comes from the crowded kernel");
    return encodeMessages(value);
  }

  [Symbol.dispose](): void {}

  private *answersTo(request: Message): Generator<readonly Message[], undefined> {
    const isDump = (request.flags & flag.dump) === flag.dump;
    if (request.type === RTM_GETADDR) {
      this.looks++;
      for (let from = 1; from <= this.addresses; from += AT_ONCE) {
        const count = Math.min(AT_ONCE, this.addresses - from + 1);
        yield Array.from({ length: count }, (_, index) => addressPart(request, from + index));
      }
      yield [done(request)];
    } else if (request.type === RTM_GETNSID) {
      // No other namespace has a number.
      yield [isDump ? done(request) : answer(request, RTM_NEWNSID, new Uint8Array(4))];
    } else if (isDump) {
      const veth = { index: VETH, name: "veth1", kind: "veth", peerIndex: PEER, linkNetnsId: NETNS };
      yield [part(request, RTM_NEWLINK, encode(LINK, veth)), done(request)];
    } else if (request.payload[4] === PEER) {
      yield [answer(request, RTM_NEWLINK, encode(LINK, { index: PEER, name: "eth0", targetNetnsId: NETNS }))];
    } else {
      // There is no bridge.
      yield [refusal(request, ENODEV)];
    }
  }
}

const START = 0x2001_0db8n << 96n;

const addressPart = (request: Message, index: number): Message =>
  part(
    request,
    RTM_NEWADDR,
    encodeAddress({
      index: PEER,
      prefix: { address: { family: 6, value: START + BigInt(index) }, length: 128 },
      targetNetnsId: NETNS,
    }),
  );

/** What is asked for of a text's address. */
export function held(text: string): Parameters<AddressUsers["find"]>[0] {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`${text} is not an address`);
  return { address, containerId: "c1", ifname: "eth0" };
}

/** The users of addresses behind such a kernel. */
export const usersBehind = (kernel: CrowdedKernel): AddressUsers =>
  new AddressUsers(new Connection(kernel), { network: "test", bridge: () => "cni0" });

/** What the program can look for, in words. */
const SEARCHES: Readonly<Record<string, (kernel: CrowdedKernel, asked: readonly string[]) => string>> = {
  users: (kernel, asked) => {
    const users = usersBehind(kernel);
    const all = asked.map(held);
    return all.map((one) => users.find(one, () => all)?.name ?? "none").join(", ");
  },
  check: (kernel, asked) => {
    const mismatches = new Mismatches(endlessTime);
    const ips = asked.map((text) => ({ address: { address: held(text).address, length: 128 } }));
    verifyAddresses(new Connection(kernel), { index: PEER, name: "eth0" }, ips, mismatches);
    try {
      mismatches.throwIfAny();
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
    return "nothing is lost";
  },
};

if (import.meta.main) {
  const [search = "", count = "0"] = process.argv.slice(2);
  const last = BigInt(count);
  const asked = [`2001:db8::${(last >> 16n).toString(16)}:${(last & 0xffffn).toString(16)}`, "fd00::1"];
  console.log(SEARCHES[search]?.(new CrowdedKernel(Number(count)), asked));
}
