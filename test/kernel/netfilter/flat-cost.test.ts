/**
 * What ADD and DEL ask the kernel for does not depend on how many attachments there are (G27). The traffic is counted,
 * not the time.
 */

import { describe, expect, test } from "bun:test";
import type { Attachment } from "../../../src/cni/attachment.ts";
import { openNftables } from "../../../src/netfilter/kernel.ts";
import { setUpNftables } from "../../../src/netfilter/masquerade/nftables.ts";
import { setUpIptables } from "../../../src/netfilter/masquerade/set-up.ts";
import { Connection, type Transport } from "../../../src/netlink/connection.ts";
import { NetlinkSocket, protocol } from "../../../src/netlink/socket.ts";
import { hostTest } from "../../support/host-test.ts";
import { withScratchHost } from "../../support/scratch-host.ts";
import { iptablesRules } from "./listings.ts";
import { masquerade, spoofCheck } from "./modules.ts";
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

async function trafficOf(action: (connection: Connection) => void | Promise<void>) {
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
  ["iptables", setUpIptables],
  ["nftables", setUpNftables],
] as const)("%s: ADD and DEL beside 3 others and beside 150", async (_, setUp) => {
  await withScratchHost(async () => {
    using connection = openNftables();
    if (connection === undefined) throw new Error("no nf_tables");
    const fill = async (from: number, to: number) => {
      for (let index = from; index < to; index++) await setUp(connection, nth(index), addressesOf(index));
    };
    const addAndDel = async () => [
      await trafficOf((counted) => setUp(counted, nth(200), addressesOf(200))),
      await trafficOf((counted) => masquerade.tearDown(nth(200), counted)),
    ];
    await fill(0, 3);
    const few = await addAndDel();
    await fill(3, MANY);
    expect(await addAndDel()).toEqual(few);
    for (let index = 0; index < MANY; index++) await masquerade.tearDown(nth(index), connection);
  });
});

hostTest("an ADD with addresses of both families makes one transaction", async () => {
  using counted = new Counted();
  await setUpIptables(new Connection(counted), nth(1), addressesOf(1));
  expect(counted.transactions).toBe(1);
  for (const program of ["iptables-nft", "ip6tables-nft"])
    expect((await iptablesRules(program)).filter((rule) => rule.includes("MASQUERADE"))).toHaveLength(1);
  await masquerade.tearDown(nth(1));
});

hostTest("macspoofchk: DEL beside 3 others and beside 150", async () => {
  const fill = async (from: number, to: number) => {
    for (let index = from; index < to; index++)
      await spoofCheck.setUp(nth(index), `v${1000 + index}`, "02:00:00:00:00:01");
  };
  const del = async () => {
    await spoofCheck.setUp(nth(200), "v1200", "02:00:00:00:00:01");
    return await trafficOf((counted) => spoofCheck.tearDown(nth(200), undefined, counted));
  };
  await fill(0, 3);
  const few = await del();
  await fill(3, MANY);
  expect(await del()).toEqual(few);
  for (let index = 0; index < MANY; index++) await spoofCheck.tearDown(nth(index));
});

hostTest("a DEL of what was never attached asks little, and changes nothing", async () => {
  const { datagrams } = await trafficOf(async (counted) => {
    await masquerade.tearDown(attachment("nobody"), counted);
    await spoofCheck.tearDown(attachment("nobody"), undefined, counted);
  });
  expect(datagrams).toBeLessThan(20);
});

describe("G2: STATUS reads", () => {
  hostTest.each(["iptables", "nftables"] as const)(
    "%s: no transaction is tried beside an attachment, but after a failure of ADD",
    async (_, backend) => {
      await masquerade.setUp(backend, nth(1), addressesOf(1));
      using counted = new Counted();
      const connection = new Connection(counted);
      expect(await masquerade.looksUsable(backend, connection)).toBe(true);
      expect(counted.transactions).toBe(0);
      expect(await masquerade.problemOf(backend, backend, connection, "it failed")).toBe(
        `cannot masquerade with ${backend}: it failed`,
      );
      expect(counted.transactions).toBe(1);
      await masquerade.tearDown(nth(1));
    },
  );
});
