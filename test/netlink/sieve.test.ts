import { describe, expect, test } from "bun:test";
import { Connection, type Request } from "../../src/netlink/connection.ts";
import { flag, type Message } from "../../src/netlink/message.ts";
import { sift } from "../../src/netlink/sieve.ts";
import { answer, done, FakeKernel, type Reply } from "./fake-kernel.ts";

/** A rule of nf_tables in a dump; datagrams of other subsystems are always decoded. */
const RULE = (10 << 8) | 6;
const request: Request = { action: "list", type: (10 << 8) | 7, flags: 0, payload: new Uint8Array(4) };
const part = (one: Message, text: string, flags: number = flag.multi): Message =>
  answer(one, RULE, new TextEncoder().encode(text), flags);

/** Sifts the datagrams of each attempt in turn for messages with this text: what was kept, and what was looked at. */
function sifted(text: string, attempts: ((one: Message) => readonly Reply[])[]) {
  const kernel = new FakeKernel(([one]) => (one === undefined ? [] : (attempts.shift()?.(one) ?? [])));
  const decoder = new TextDecoder();
  const seen: string[] = [];
  const kept = sift(new Connection(kernel), request, () => ({
    mayHold: (datagram) => decoder.decode(datagram).includes(text),
    keep: ({ payload }) => {
      const found = decoder.decode(payload);
      seen.push(found);
      return found.startsWith(text) ? found : undefined;
    },
  }));
  expect(kernel.unread).toBe(0);
  return { kept, seen };
}

describe("sift", () => {
  test("decodes only datagrams that may hold what is wanted", () => {
    const { kept, seen } = sifted("good", [
      (one) => [
        [part(one, "aaaa"), part(one, "bbbb")],
        [part(one, "cccc"), part(one, "good")],
        [part(one, "dddd"), part(one, "eeee")],
        [done(one)],
      ],
    ]);
    expect(kept).toEqual(["good"]);
    expect(seen).toEqual(["cccc", "good"]);
  });

  test("sees the end behind the last message of a datagram", () => {
    expect(sifted("good", [(one) => [[part(one, "aaaa"), part(one, "bbbb"), done(one)]]]).kept).toEqual([]);
  });

  test("G26: sees an interruption in a datagram without anything wanted, and begins again", () => {
    const interrupted = flag.multi | flag.dumpInterrupted;
    const { kept } = sifted("good", [
      (one) => [[part(one, "good1")], [part(one, "aaaa", interrupted)], [done(one)]],
      (one) => [[part(one, "good2")], [done(one)]],
    ]);
    expect(kept).toEqual(["good2"]);
  });
});
