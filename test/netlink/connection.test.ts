/** Conversations with a fake kernel, correct and faulty ones. */
import { afterEach, describe, expect, test } from "bun:test";
import { toCniError } from "../../src/cni/error.ts";
import { Connection, type Request } from "../../src/netlink/connection.ts";
import { DecodeError, NetlinkError, refusedWith, UnansweredError } from "../../src/netlink/error.ts";
import { control, encodeMessages, flag, type Message } from "../../src/netlink/message.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { withDeadline, withoutDeadline } from "../support/call-time.ts";
import {
  acknowledgement,
  answer,
  done,
  each,
  FakeKernel,
  part,
  type Reply,
  refusal,
  type Script,
} from "./fake-kernel.ts";

const TYPE = 16;
const REPLY = 17;
const text = (value: string) => new TextEncoder().encode(value.padEnd(4, "."));
const texts = (messages: readonly Message[]) =>
  messages.map(({ payload }) => new TextDecoder().decode(payload));

const request = (name: string, flags = 0): Request => ({
  action: `do ${name}`,
  type: TYPE,
  flags,
  payload: text(name),
});

function connect(script: Script): { connection: Connection; kernel: FakeKernel } {
  const kernel = new FakeKernel(script);
  return { connection: new Connection(kernel), kernel };
}

const whole = (message: Message) => message;

/** The error that a call throws; undefined when it does not throw. */
function thrown(call: () => unknown): unknown {
  try {
    call();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("get", () => {
  test("requests no acknowledgement: the object ends it, in its own datagram", () => {
    const { connection, kernel } = connect((asked) => asked.map((one) => [answer(one, REPLY, one.payload)]));
    expect(texts(connection.get(request("aaaa")))).toEqual(["aaaa"]);
    const outcomes = connection.getAll([request("bbbb"), request("cccc")]);
    expect(outcomes.map(({ replies }) => texts(replies))).toEqual([["bbbb"], ["cccc"]]);
    expect(kernel.received.flat().map(({ flags, sequence }) => [flags, sequence])).toEqual([
      [flag.request, 1],
      [flag.request, 2],
      [flag.request, 3],
    ]);
    expect(kernel.unread).toBe(0);
  });

  test("a refusal also ends it, and the other requests are answered", () => {
    const { connection } = connect(
      each((one) => [one.sequence === 2 ? refusal(one, 19) : answer(one, REPLY, one.payload)]),
    );
    const outcomes = connection.getAll([request("aaaa"), request("bbbb"), request("cccc")]);
    expect(outcomes.map(({ replies, error }) => error?.code ?? texts(replies))).toEqual([
      ["aaaa"],
      "ENODEV",
      ["cccc"],
    ]);
    const { connection: other } = connect(each((one) => [refusal(one, 2)]));
    expect(
      refusedWith(
        thrown(() => other.get(request("aaaa"))),
        "ENOENT",
      ),
    ).toBe(true);
  });

  test("a second object, a late one and one of another conversation are ignored", () => {
    const { connection } = connect(([one]) =>
      one === undefined
        ? []
        : [[answer({ ...one, sequence: one.sequence - 1 }, REPLY, text("late"))], twice(one)],
    );
    const twice = (one: Message) => [answer(one, REPLY, text("1111")), answer(one, REPLY, text("2222"))];
    expect(texts(connection.get(request("aaaa")))).toEqual(["1111"]);
    expect(texts(connection.get(request("bbbb")))).toEqual(["1111"]);
    expect(connection.getAll([])).toEqual([]);
  });
});

describe("call", () => {
  test("adds NLM_F_REQUEST, NLM_F_ACK and a new sequence number each time", () => {
    const { connection, kernel } = connect(each((one) => [acknowledgement(one)]));
    expect(connection.call(request("aaaa", flag.create | flag.exclusive))).toEqual([]);
    connection.call(request("bbbb"));
    expect(kernel.received).toEqual([
      [{ type: TYPE, flags: 0x605, sequence: 1, port: 0, payload: text("aaaa") }],
      [{ type: TYPE, flags: 0x5, sequence: 2, port: 0, payload: text("bbbb") }],
    ]);
  });

  test("returns the replies before the acknowledgement", () => {
    const { connection } = connect(
      each((one) => [
        answer(one, REPLY, text("1111")),
        answer(one, REPLY, text("2222")),
        acknowledgement(one),
      ]),
    );
    expect(texts(connection.call(request("aaaa")))).toEqual(["1111", "2222"]);
  });

  test("reply and acknowledgement may arrive in separate datagrams", () => {
    const { connection, kernel } = connect(([one]) =>
      one === undefined ? [] : [[answer(one, REPLY, text("1111"))], [acknowledgement(one)]],
    );
    expect(texts(connection.call(request("aaaa")))).toEqual(["1111"]);
    expect(kernel.unread).toBe(0);
  });

  test("a refusal is an error with the action, the errno and the kernel's message", () => {
    const ack = { text: "Nexthop has invalid gateway", offset: 52 };
    for (const capped of [false, true]) {
      const { connection } = connect(each((one) => [refusal(one, 101, ack, capped)]));
      const error = thrown(() => connection.call(request("aaaa")));
      expect(error).toBeInstanceOf(NetlinkError);
      expect(error).toMatchObject({ request: "do aaaa", errno: 101, code: "ENETUNREACH", ack });
      expect((error as Error).message).toBe(
        "cannot do aaaa: network is unreachable (ENETUNREACH); the kernel says: Nexthop has invalid gateway",
      );
    }
  });

  test("a refusal that names a missing attribute", () => {
    const { connection } = connect(each((one) => [refusal(one, 22, { missing: 3 })]));
    expect((thrown(() => connection.call(request("aaaa"))) as Error).message).toBe(
      "cannot do aaaa: invalid argument (EINVAL); attribute 3 is missing",
    );
  });

  test("a refusal may contain a padded request, with a text after it", () => {
    const odd = { ...request("aaaa"), payload: Uint8Array.of(1, 2, 3, 4, 5) };
    const { connection } = connect(each((one) => [refusal(one, 22, { text: "odd" })]));
    expect(thrown(() => connection.call(odd))).toMatchObject({ ack: { text: "odd" } });
  });

  test("refusedWith compares the code", () => {
    const error = new NetlinkError("do it", 17);
    expect(refusedWith(error, "EEXIST")).toBe(true);
    expect(refusedWith(error, "ENOENT", "EEXIST")).toBe(true);
    expect(refusedWith(error, "ENOENT")).toBe(false);
    expect(refusedWith(new Error("EEXIST"), "EEXIST")).toBe(false);
    expect(refusedWith(undefined, "EEXIST")).toBe(false);
  });

  test("several parts and NLMSG_DONE also end a request; a later acknowledgement is ignored", () => {
    const { connection, kernel } = connect(
      each((one) => [part(one, REPLY, text("1111")), part(one, REPLY, text("2222")), done(one)]),
    );
    expect(texts(connection.call(request("aaaa")))).toEqual(["1111", "2222"]);
    expect(kernel.unread).toBe(0);
    const both = connect(each((one) => [part(one, REPLY, text("1111")), done(one), acknowledgement(one)]));
    expect(texts(both.connection.call(request("aaaa")))).toEqual(["1111"]);
    expect(texts(both.connection.call(request("bbbb")))).toEqual(["1111"]);
  });

  test("NLMSG_DONE with an errno is a refusal", () => {
    const { connection } = connect(each((one) => [done(one, 16, { text: "busy" })]));
    expect(thrown(() => connection.call(request("aaaa")))).toMatchObject({
      code: "EBUSY",
      ack: { text: "busy" },
    });
  });

  test("NLMSG_NOOP is ignored", () => {
    const { connection } = connect(each((one) => [answer(one, control.noop), acknowledgement(one)]));
    expect(connection.call(request("aaaa"))).toEqual([]);
  });

  test("NLMSG_OVERRUN: replies were lost", () => {
    const { connection } = connect(each((one) => [answer(one, control.overrun)]));
    expect(thrown(() => connection.call(request("aaaa")))).toMatchObject({
      code: "ENOBUFS",
      request: "do aaaa",
    });
  });

  test("a failed system call is reported with the action, also in a dump", () => {
    const fail = (): never => {
      throw new SystemError("recvfrom", 105);
    };
    const dead = { send: () => undefined, receive: fail, [Symbol.dispose]: () => undefined };
    const lost = { code: "ENOBUFS", request: "do aaaa" };
    expect(thrown(() => new Connection(dead).call(request("aaaa")))).toMatchObject(lost);
    expect(thrown(() => new Connection(dead).dump(request("aaaa"), whole))).toMatchObject(lost);
    const mute = { ...dead, send: fail };
    expect(thrown(() => new Connection(mute).callAll([request("aaaa"), request("bbbb")]))).toMatchObject(
      lost,
    );
  });

  test("other errors of the transport are thrown unchanged", () => {
    const { connection } = connect(() => []);
    expect(() => connection.call(request("aaaa"))).toThrow("nothing more comes");
  });
});

describe("callAll", () => {
  test("one datagram for all, outcomes in the order of the requests", () => {
    const { connection, kernel } = connect((requests) => [
      requests.flatMap((one) => [answer(one, REPLY, one.payload), acknowledgement(one)]),
    ]);
    const outcomes = connection.callAll([request("aaaa"), request("bbbb"), request("cccc")]);
    expect(kernel.received.map((requests) => texts(requests))).toEqual([["aaaa", "bbbb", "cccc"]]);
    expect(outcomes.map(({ replies }) => texts(replies))).toEqual([["aaaa"], ["bbbb"], ["cccc"]]);
    expect(outcomes.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
  });

  test("answers in any order find their requests", () => {
    const { connection } = connect((requests) =>
      requests.toReversed().map((one) => [answer(one, REPLY, one.payload), acknowledgement(one)]),
    );
    const outcomes = connection.callAll([request("aaaa"), request("bbbb"), request("cccc")]);
    expect(outcomes.map(({ replies }) => texts(replies))).toEqual([["aaaa"], ["bbbb"], ["cccc"]]);
  });

  test("if the middle one is refused, the others still succeed", () => {
    const { connection } = connect(
      each((one, index) => [index === 1 ? refusal(one, 17, { text: "taken" }) : acknowledgement(one)]),
    );
    const outcomes = connection.callAll([request("aaaa"), request("bbbb"), request("cccc")]);
    expect(outcomes.map(({ error }) => error?.message)).toEqual([
      undefined,
      "cannot do bbbb: file exists (EEXIST); the kernel says: taken",
      undefined,
    ]);
  });

  test("the same ack twice does not end the wait for another request", () => {
    const { connection, kernel } = connect(([first, second]) =>
      first === undefined || second === undefined
        ? []
        : [[acknowledgement(first)], [acknowledgement(first)], [refusal(second, 13)]],
    );
    const outcomes = connection.callAll([request("aaaa"), request("bbbb")]);
    expect(outcomes.map(({ error }) => error?.code)).toEqual([undefined, "EACCES"]);
    expect(kernel.unread).toBe(0);
  });

  test("of two acks the first counts, and later messages are ignored", () => {
    const { connection } = connect(([first, second]) =>
      first === undefined || second === undefined
        ? []
        : [
            [refusal(first, 17), acknowledgement(first), answer(first, REPLY, text("late"))],
            [acknowledgement(second)],
          ],
    );
    const [outcome] = connection.callAll([request("aaaa"), request("bbbb")]);
    expect(outcome?.error?.code).toBe("EEXIST");
    expect(outcome?.replies).toEqual([]);
  });

  test("late messages of an earlier conversation are ignored", () => {
    const late: Message[] = [];
    const { connection } = connect((requests) => {
      const replies: Reply[] = late.length === 0 ? [] : [[...late]];
      for (const one of requests) {
        late.push(answer(one, REPLY, text("late")), refusal(one, 1), done(one, 5));
        replies.push([answer(one, REPLY, one.payload), acknowledgement(one)]);
      }
      return replies;
    });
    connection.call(request("aaaa"));
    expect(texts(connection.call(request("bbbb")))).toEqual(["bbbb"]);
  });

  test("messages with unused sequence numbers are ignored: 0, as in events, and future ones", () => {
    const { connection } = connect(
      each((one) => [
        { ...refusal(one, 1), sequence: 0 },
        { ...refusal(one, 1), sequence: 99 },
        { ...refusal(one, 1), sequence: 0xffffffff },
        acknowledgement(one),
      ]),
    );
    expect(connection.call(request("aaaa"))).toEqual([]);
  });

  test("no request, no datagram", () => {
    const { connection, kernel } = connect(() => []);
    expect(connection.callAll([])).toEqual([]);
    expect(kernel.received).toEqual([]);
  });
});

describe("transact", () => {
  const batch = [request("aaaa"), request("bbbb"), request("cccc", flag.ack)];

  test("one datagram with unchanged flags", () => {
    const { connection, kernel } = connect((requests) => [requests.slice(-1).map(acknowledgement)]);
    expect(connection.transact(batch)).toEqual([]);
    expect(kernel.received.map((requests) => requests.map(({ flags }) => flags))).toEqual([
      [flag.request, flag.request, flag.request | flag.ack],
    ]);
  });

  test("returns echoes of all its messages", () => {
    const { connection } = connect((requests) => [
      requests.map((one) => answer(one, REPLY, one.payload)),
      requests.slice(-1).map(acknowledgement),
    ]);
    expect(texts(connection.transact(batch))).toEqual(["aaaa", "bbbb", "cccc"]);
  });

  test("the first refusal ends it, also of a message without NLM_F_ACK", () => {
    const { connection } = connect((requests) => [
      requests.map((one, index) => refusal(one, index === 0 ? 2 : 17)),
    ]);
    expect(thrown(() => connection.transact(batch))).toMatchObject({ request: "do aaaa", code: "ENOENT" });
  });

  test("waits for each requested acknowledgement, and counts each once", () => {
    const { connection, kernel } = connect(([first, second]) =>
      first === undefined || second === undefined
        ? []
        : [
            [acknowledgement(first), acknowledgement(first)],
            [answer(second, REPLY)],
            [acknowledgement(second)],
          ],
    );
    expect(connection.transact([request("aaaa", flag.ack), request("bbbb", flag.ack)]).length).toBe(1);
    expect(kernel.unread).toBe(0);
  });
});

describe("dump", () => {
  test("has NLM_F_DUMP and no NLM_F_ACK, and collects the parts of several datagrams up to NLMSG_DONE", () => {
    const { connection, kernel } = connect(([one]) =>
      one === undefined
        ? []
        : [
            [part(one, REPLY, text("1111")), part(one, REPLY, text("2222"))],
            [part(one, REPLY, text("3333"))],
            [done(one)],
          ],
    );
    expect(texts(connection.dump(request("aaaa"), whole))).toEqual(["1111", "2222", "3333"]);
    expect(kernel.received[0]?.[0]?.flags).toBe(flag.request | flag.dump);
    expect(kernel.unread).toBe(0);
  });

  test("an empty table", () => {
    const { connection } = connect(each((one) => [done(one)]));
    expect(connection.dump(request("aaaa"), whole)).toEqual([]);
  });

  test("NLMSG_DONE without an errno, as in very old kernels", () => {
    const { connection } = connect(
      each((one) => [
        part(one, REPLY, text("1111")),
        answer(one, control.done, new Uint8Array(), flag.multi),
      ]),
    );
    expect(texts(connection.dump(request("aaaa"), whole))).toEqual(["1111"]);
  });

  /** The first `failures` dumps fail in the way of `wrong`, the next succeeds. */
  const flaky = (failures: number, wrong: (one: Message) => Reply): Script => {
    let attempt = 0;
    return ([one]) => {
      if (one === undefined) return [];
      return ++attempt <= failures ? [wrong(one)] : [[part(one, REPLY, text("good")), done(one)]];
    };
  };
  const interrupted: Readonly<Record<string, (one: Message) => Reply>> = {
    "a part says so": (one) => [
      part(one, REPLY, text("1111"), flag.dumpInterrupted),
      part(one, REPLY, text("2222")),
      done(one),
    ],
    "the end says so": (one) => [part(one, REPLY, text("1111")), done(one, 0, {}, flag.dumpInterrupted)],
    "the end is EINTR": (one) => [part(one, REPLY, text("1111")), done(one, 4)],
    "the refusal is EINTR": (one) => [refusal(one, 4)],
  };

  test.each(Object.entries(interrupted))("G26: interrupted, %s: repeated", (_, wrong) => {
    const { connection, kernel } = connect(flaky(3, wrong));
    expect(texts(connection.dump(request("aaaa"), whole))).toEqual(["good"]);
    const sequences = kernel.received.map(([one]) => one?.sequence);
    expect(sequences).toEqual([1, 2, 3, 4]);
    expect(kernel.unread).toBe(0);
  });

  test.each(Object.entries(interrupted))("G26: always interrupted, %s: gives up", (_, wrong) => {
    const { connection, kernel } = connect(flaky(Number.POSITIVE_INFINITY, wrong));
    expect(thrown(() => connection.dump(request("aaaa"), whole))).toMatchObject({
      code: "EINTR",
      message:
        "cannot do aaaa: interrupted system call (EINTR); the kernel says: the table changed during each of 32 dumps",
    });
    expect(kernel.received.length).toBe(32);
  });

  test.each(Object.entries(interrupted))("G26: interrupted, %s: each attempt has its own sum", (_, wrong) => {
    const { connection } = connect(flaky(2, wrong));
    let walks = 0;
    const sum = connection.fold(
      request("aaaa"),
      () => ({ walk: ++walks, taken: [] as Message[] }),
      ({ taken }, message) => void taken.push(message),
    );
    expect(sum.walk).toBe(3);
    expect(texts(sum.taken)).toEqual(["good"]);
  });

  test("K9: messages are read one datagram at a time, and only kept values stay in memory", () => {
    const parts = 1000;
    const kernel = new FakeKernel(([one]) =>
      one === undefined
        ? []
        : [...Array.from({ length: parts }, () => [part(one, REPLY, text("part"))]), [done(one)]],
    );
    const left: number[] = [];
    const kept = new Connection(kernel).dump(request("aaaa"), () => {
      left.push(kernel.unread);
      return left.length % 500 === 0 ? left.length : undefined;
    });
    expect(kept).toEqual([500, 1000]);
    // Each message was handled before the next was read.
    expect(left).toEqual(Array.from({ length: parts }, (_, index) => parts - index));
  });

  test("if handling a message fails, the rest of the dump is read, so that the next dump works", () => {
    const { connection, kernel } = connect(
      each((one) => [part(one, REPLY, text("1111")), part(one, REPLY, text("2222")), done(one)]),
    );
    const seen: Message[] = [];
    const refuse = (message: Message) => {
      seen.push(message);
      throw new DecodeError("no such thing");
    };
    expect(thrown(() => connection.dump(request("aaaa"), refuse))).toMatchObject({
      message: "no such thing",
    });
    expect(texts(seen)).toEqual(["1111"]);
    expect(kernel.unread).toBe(0);
    expect(texts(connection.dump(request("bbbb"), whole))).toEqual(["1111", "2222"]);
  });

  test("late parts of an interrupted dump are not taken for parts of the next", () => {
    const stale: Message[] = [];
    const { connection } = connect(([one]) => {
      if (one === undefined) return [];
      if (stale.length === 0) {
        stale.push(part(one, REPLY, text("late")), done(one));
        return [[part(one, REPLY, text("1111")), done(one, 4)]];
      }
      return [[...stale, part(one, REPLY, text("good"))], [done(one)]];
    });
    expect(texts(connection.dump(request("aaaa"), whole))).toEqual(["good"]);
  });

  test("a refusal: EBUSY, and one in NLMSG_DONE with the kernel's message", () => {
    const busy = connect(each((one) => [refusal(one, 16)]));
    expect(thrown(() => busy.connection.dump(request("aaaa"), whole))).toMatchObject({ code: "EBUSY" });
    const table = connect(
      each((one) => [part(one, REPLY, text("1111")), done(one, 2, { text: "no such table" })]),
    );
    expect(thrown(() => table.connection.dump(request("aaaa"), whole))).toMatchObject({
      code: "ENOENT",
      ack: { text: "no such table" },
    });
  });

  test("NLMSG_OVERRUN: parts were lost", () => {
    const { connection } = connect(
      each((one) => [part(one, REPLY, text("1111")), answer(one, control.overrun)]),
    );
    expect(thrown(() => connection.dump(request("aaaa"), whole))).toMatchObject({ code: "ENOBUFS" });
  });
});

describe("invalid datagrams", () => {
  const good = (one: Message) => encodeMessages([acknowledgement(one)]);
  const patched =
    (at: number, ...bytes: number[]) =>
    (one: Message) => {
      const datagram = good(one);
      datagram.set(bytes, at);
      return datagram;
    };
  const broken: Readonly<Record<string, (one: Message) => Uint8Array>> = {
    "a length beyond the end": patched(0, 0xff, 0xff),
    "a length of 0": patched(0, 0, 0, 0, 0),
    "a length shorter than the header": patched(0, 15),
    "a truncated header": (one) => good(one).subarray(0, 15),
    "a truncated message": (one) => good(one).subarray(0, 30),
    "an ack without an errno": (one) => encodeMessages([answer(one, control.error)]),
    "an ack without its request": (one) => encodeMessages([answer(one, control.error, new Uint8Array(8))]),
    "an ack whose request is longer than it": (one) =>
      encodeMessages([{ ...acknowledgement(one), flags: 0 }]).fill(0xff, 20, 24),
    garbage: () => new Uint8Array(64).fill(0xa5),
  };

  for (const [name, datagram] of Object.entries(broken)) {
    test(`${name} is a DecodeError, in a call and in a dump, and the next call works`, () => {
      let bad = true;
      const { connection } = connect(([one]) =>
        one === undefined ? [] : bad ? [datagram(one)] : [[acknowledgement(one)]],
      );
      expect(thrown(() => connection.call(request("aaaa")))).toBeInstanceOf(DecodeError);
      expect(thrown(() => connection.dump(request("aaaa"), whole))).toBeInstanceOf(DecodeError);
      bad = false;
      expect(connection.call(request("aaaa"))).toEqual([]);
    });
  }

  test("an empty datagram is ignored", () => {
    const { connection } = connect(([one]) =>
      one === undefined ? [] : [new Uint8Array(), [acknowledgement(one)]],
    );
    expect(connection.call(request("aaaa"))).toEqual([]);
  });
});

describe("K8: a conversation ends at the call's deadline, even if datagrams never end", () => {
  afterEach(withoutDeadline);

  /** Answers with a nearly endless number of messages, so that the test fails, and does not hang, without a deadline. */
  const endless = (message: Message): Connection => {
    const kernel = new FakeKernel(() => []);
    let left = 10_000;
    kernel.receive = () => {
      if (left-- === 0) throw new Error("nothing looked at the deadline");
      return encodeMessages([message]);
    };
    return new Connection(kernel);
  };
  const foreign = { type: REPLY, flags: 0, sequence: 4711, port: 0, payload: text("aaaa") };
  const dumped = { ...foreign, flags: flag.multi, sequence: 1 };
  const interrupted: Script = ([one]) =>
    one === undefined ? [] : [[{ ...done(one), flags: flag.multi | flag.dumpInterrupted }]];

  test.each([
    ["call", () => endless(foreign).call(request("aaaa"))],
    ["transaction", () => endless(foreign).transact([request("aaaa", flag.ack)])],
    ["dump of others' messages", () => endless(foreign).dump(request("aaaa"), whole)],
    ["dump without an end", () => endless(dumped).dump(request("aaaa"), whole)],
    ["dump that is interrupted each time", () => dumpTwice(connect(interrupted).connection)],
  ])("%s", (_, converse) => {
    withDeadline(0);
    const error = thrown(converse);
    expect(error).toBeInstanceOf(UnansweredError);
    expect(toCniError(error)).toMatchObject({
      code: 11,
      message: "cannot do aaaa: the kernel has not answered before the call's deadline; try again later",
    });
  });

  /** The second dump starts when the first has used up its attempts. */
  function dumpTwice(connection: Connection): void {
    expect(thrown(() => connection.dump(request("aaaa"), whole))).toMatchObject({ code: "EINTR" });
    connection.dump(request("aaaa"), whole);
    connection.dump(request("aaaa"), whole);
  }
});

test("the transport is closed with the connection", () => {
  const kernel = new FakeKernel(() => []);
  {
    using _ = new Connection(kernel);
    expect(kernel.closed).toBe(false);
  }
  expect(kernel.closed).toBe(true);
});
