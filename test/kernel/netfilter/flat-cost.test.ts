/**
 * What ADD and DEL ask the kernel for does not depend on how many attachments there are (G27). The traffic is counted,
 * not the time.
 */

import { expect, test } from "bun:test";
import type { Attachment } from "../../../src/cni/attachment.ts";
import { setUpIptables, tearDownIptables } from "../../../src/netfilter/iptables/iptables.ts";
import { openNftables, tearDownMasquerade } from "../../../src/netfilter/masquerade.ts";
import { setUpNftables, tearDownNftables } from "../../../src/netfilter/nftables/nftables.ts";
import { setUpSpoofCheck, tearDownSpoofCheck } from "../../../src/netfilter/spoof-check.ts";
import { Connection, type Transport } from "../../../src/netlink/connection.ts";
import { NetlinkSocket, protocol } from "../../../src/netlink/socket.ts";
import { withScratchHost } from "../../support/scratch-host.ts";
import { iptablesRules } from "./listings.ts";
import { prefixes } from "./prefixes.ts";

/** The type of the first message of a transaction: uapi linux/netfilter/nfnetlink.h. */
const NFNL_MSG_BATCH_BEGIN = 16;

/** A socket that notes what goes through it. */
class Counted implements Transport {
  readonly #socket = new NetlinkSocket(protocol.netfilter);
  datagrams = 0;
  bytes = 0;
  transactions = 0;

  send(datagram: Uint8Array): void {
    if (new DataView(datagram.buffer).getUint16(4, true) === NFNL_MSG_BATCH_BEGIN) this.transactions++;
    this.datagrams++;
    this.bytes += datagram.length;
    this.#socket.send(datagram);
  }

  receive(): Uint8Array {
    const datagram = this.#socket.receive();
    this.bytes += datagram.length;
    return datagram;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

function traffic(action: (connection: Connection) => void): { datagrams: number; bytes: number } {
  using counted = new Counted();
  action(new Connection(counted));
  return { datagrams: counted.datagrams, bytes: counted.bytes };
}

async function trafficOf(action: (connection: Connection) => Promise<void>) {
  using counted = new Counted();
  await action(new Connection(counted));
  return { datagrams: counted.datagrams, bytes: counted.bytes };
}

const MANY = 150;
const attachment = (containerId: string): Attachment => ({ network: "net1", containerId, ifname: "eth0" });
/** Of equal length, so that their rules are. */
const nth = (index: number): Attachment => attachment(`c${String(index).padStart(4, "0")}`);
const addressesOf = (index: number) =>
  prefixes(`10.1.${100 + (index >> 7)}.${100 + (index & 127)}/24`, `fd00:2::${1000 + index}/64`);

test.each([
  ["iptables", setUpIptables, tearDownIptables],
  ["nftables", setUpNftables, tearDownNftables],
] as const)("%s: ADD and DEL beside 3 others and beside 150", async (_, setUp, tearDown) => {
  await withScratchHost(async () => {
    using connection = openNftables();
    if (connection === undefined) throw new Error("no nf_tables");
    const fill = (from: number, to: number) => {
      for (let index = from; index < to; index++) setUp(connection, nth(index), addressesOf(index));
    };
    fill(0, 3);
    const few = [
      traffic((counted) => setUp(counted, nth(200), addressesOf(200))),
      traffic((counted) => tearDown(counted, nth(200))),
    ];
    fill(3, MANY);
    const many = [
      traffic((counted) => setUp(counted, nth(200), addressesOf(200))),
      traffic((counted) => tearDown(counted, nth(200))),
    ];
    expect(many).toEqual(few);
    for (let index = 0; index < MANY; index++) tearDown(connection, nth(index));
  });
});

test("an ADD with addresses of both families makes one transaction", async () => {
  await withScratchHost(async () => {
    using counted = new Counted();
    setUpIptables(new Connection(counted), nth(1), addressesOf(1));
    expect(counted.transactions).toBe(1);
    for (const program of ["iptables-nft", "ip6tables-nft"])
      expect((await iptablesRules(program)).filter((rule) => rule.includes("MASQUERADE"))).toHaveLength(1);
    await tearDownMasquerade(nth(1));
  });
});

test("macspoofchk: DEL beside 3 others and beside 150", async () => {
  await withScratchHost(async () => {
    const fill = async (from: number, to: number) => {
      for (let index = from; index < to; index++)
        await setUpSpoofCheck(nth(index), `v${1000 + index}`, "02:00:00:00:00:01");
    };
    const del = async () => {
      await setUpSpoofCheck(nth(200), "v1200", "02:00:00:00:00:01");
      return await trafficOf((counted) => tearDownSpoofCheck(nth(200), { connection: counted }));
    };
    await fill(0, 3);
    const few = await del();
    await fill(3, MANY);
    expect(await del()).toEqual(few);
    for (let index = 0; index < MANY; index++) await tearDownSpoofCheck(nth(index));
  });
});

test("a DEL of what was never attached asks little, and changes nothing", async () => {
  await withScratchHost(async () => {
    const { datagrams } = await trafficOf(async (counted) => {
      await tearDownMasquerade(attachment("nobody"), counted);
      await tearDownSpoofCheck(attachment("nobody"), { connection: counted });
    });
    expect(datagrams).toBeLessThan(20);
  });
});
