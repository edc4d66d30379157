/** Transactions, against a fake kernel. */

import { describe, expect, test } from "bun:test";
import { Connection, type Request } from "../../../src/netlink/connection.ts";
import { flag, type Message } from "../../../src/netlink/message.ts";
import {
  commit,
  currentGeneration,
  rehearse,
  type Turns,
  update,
} from "../../../src/netlink/nftables/batch.ts";
import { messageType } from "../../../src/netlink/nftables/header.ts";
import { deleteTable } from "../../../src/netlink/nftables/table.ts";
import { withDeadline, withoutDeadline } from "../../support/call-time.ts";
import { hostOrder } from "../attributes.ts";
import { answer, FakeKernel, type Reply, type Script, refusal as verdict } from "../fake-kernel.ts";

const BEGIN = 16;
const END = 17;
const ERESTART = 85;
const ENOENT = 2;
const EPERM = 1;
const NEW_GENERATION = messageType.getGeneration - 1;

const change = (table: string): Request => deleteTable({ family: "inet", table });

const generationReply = (request: Message, generation: number): Message =>
  answer(request, NEW_GENERATION, Uint8Array.of(0, 0, 0, 0, 8, 0, 1, 0, ...hostOrder(generation).reverse()));

/** Acknowledges the requests that ask for it. */
const obedient: Script = (requests) => [
  requests.filter(({ flags }) => (flags & flag.ack) !== 0).map((request) => verdict(request, 0)),
];

/** The generation in the transaction's first message. */
const seenGeneration = (requests: readonly Message[]): number | undefined => {
  const begin = requests[0]?.payload;
  return begin?.length === 12 ? new DataView(begin.buffer, begin.byteOffset).getUint32(8) : undefined;
};

describe("commit", () => {
  test("sends one datagram with two bounds, and only the last change is acknowledged", () => {
    const kernel = new FakeKernel(obedient);
    commit(new Connection(kernel), [change("a"), change("b"), change("c")]);
    expect(kernel.received.length).toBe(1);
    const [requests = []] = kernel.received;
    expect(requests.map(({ type }) => type)).toEqual([BEGIN, 0xa02, 0xa02, 0xa02, END]);
    expect(requests.map(({ flags }) => (flags & flag.ack) !== 0)).toEqual([false, false, false, true, false]);
    expect(requests.map(({ flags }) => flags & flag.request)).toEqual([1, 1, 1, 1, 1]);
    expect(kernel.unread).toBe(0);
  });

  test("sends nothing without changes", () => {
    const kernel = new FakeKernel(obedient);
    commit(new Connection(kernel), []);
    expect(kernel.received).toEqual([]);
  });

  test("fails with the action of the first change that is refused", () => {
    const kernel = new FakeKernel((requests) => {
      const [, first, , last] = requests as [Message, Message, Message, Message];
      return [[verdict(first, ENOENT)], [verdict(last, 0)]];
    });
    expect(() => commit(new Connection(kernel), [change("a"), change("b"), change("c")])).toThrow(
      "cannot delete table inet a: no such file or directory (ENOENT)",
    );
  });

  test("fails when the whole transaction is refused, though no change was answered", () => {
    const kernel = new FakeKernel(([begin]) => [[verdict(begin as Message, ERESTART)]]);
    expect(() => commit(new Connection(kernel), [change("a")], 7)).toThrow(
      "cannot begin a transaction of nf_tables: interrupted system call should be restarted (ERESTART)",
    );
    expect(seenGeneration(kernel.received[0] ?? [])).toBe(7);
  });

  test("returns echoes", () => {
    const kernel = new FakeKernel((requests) => {
      const request = requests[1] as Message;
      return [[answer(request, 0xa00)], [verdict(request, 0)]];
    });
    expect(commit(new Connection(kernel), [change("a")]).map(({ type }) => type)).toEqual([0xa00]);
  });

  test("unread replies of an earlier transaction are ignored", () => {
    let times = 0;
    const kernel = new FakeKernel((requests) => {
      times++;
      const [, first, last] = requests as [Message, Message, Message];
      return times === 1 ? [[verdict(first, ENOENT)], [verdict(last, 0)]] : obedient(requests);
    });
    const connection = new Connection(kernel);
    expect(() => commit(connection, [change("a"), change("b")])).toThrow("table inet a");
    commit(connection, [change("c"), change("d")]);
    expect(kernel.unread).toBe(0);
  });
});

test("a rehearsal has no end, so that the kernel aborts it", () => {
  const kernel = new FakeKernel(obedient);
  rehearse(new Connection(kernel), [change("a")]);
  expect(kernel.received[0]?.map(({ type }) => type)).toEqual([BEGIN, 0xa02]);
});

describe("update", () => {
  const NO_TURNS: Turns = { take: () => {} };

  /** Each read returns the next of `generations`. A transaction succeeds if it names the last of them. */
  const racing = (generations: readonly number[]): FakeKernel => {
    let looks = 0;
    return new FakeKernel((requests): readonly Reply[] => {
      const [first] = requests as [Message];
      if (first.type === messageType.getGeneration) {
        const generation = generations[looks++] ?? -1;
        return [[generationReply(first, generation), verdict(first, 0)]];
      }
      return seenGeneration(requests) === generations.at(-1)
        ? obedient(requests)
        : [[verdict(first, ERESTART)]];
    });
  };

  test("plans again until no other program was faster", () => {
    const kernel = racing([5, 6, 7]);
    const plans: number[] = [];
    update(
      new Connection(kernel),
      () => {
        plans.push(plans.length);
        return [change(`t${plans.length}`)];
      },
      NO_TURNS,
    );
    expect(plans).toEqual([0, 1, 2]);
    expect(kernel.received.map((requests) => seenGeneration(requests))).toEqual([
      undefined,
      5,
      undefined,
      6,
      undefined,
      7,
    ]);
  });

  test("A41: takes a turn after it has lost three times, and needs it until it is done", () => {
    const notes: string[] = [];
    update(
      new Connection(racing([5, 6, 7, 8, 9])),
      () => {
        notes.push("plan");
        return [change("a")];
      },
      { take: (isNeeded) => notes.push(isNeeded ? "needed" : "if others do") },
    );
    const lost = ["if others do", "plan"];
    expect(notes).toEqual([...lost, ...lost, ...lost, "needed", "plan", "needed", "plan"]);
  });

  test("does not plan again after another failure", () => {
    const kernel = new FakeKernel((requests) => {
      const [first] = requests as [Message];
      if (first.type === messageType.getGeneration) return [[generationReply(first, 1), verdict(first, 0)]];
      return [[verdict(requests[1] as Message, EPERM)]];
    });
    let plans = 0;
    const attempt = () =>
      update(
        new Connection(kernel),
        () => {
          plans++;
          return [change("a")];
        },
        NO_TURNS,
      );
    expect(attempt).toThrow("EPERM");
    expect(plans).toBe(1);
  });

  test.each([
    ["is no transaction", [5, 5], 1],
    ["is made again while another program changes what it reads", [5, 6, 6, 7, 7, 7], 3],
  ])("a plan without changes %s", (_, generations, plans) => {
    const kernel = racing(generations);
    let made = 0;
    update(
      new Connection(kernel),
      () => {
        made++;
        return [];
      },
      NO_TURNS,
    );
    expect(made).toBe(plans);
    expect(kernel.received.flat().every(({ type }) => type === messageType.getGeneration)).toBe(true);
    expect(kernel.received.length).toBe(generations.length);
  });

  test("K8: gives up when the call's time is over", () => {
    const kernel = racing(Array.from({ length: 2000 }, (_, index) => index));
    let plans = 0;
    const attempt = () =>
      update(
        new Connection(kernel),
        () => {
          if (++plans === 1500) withDeadline(0);
          return [change("a")];
        },
        NO_TURNS,
      );
    try {
      expect(attempt).toThrow("ERESTART");
    } finally {
      withoutDeadline();
    }
    expect(plans).toBe(1500);
  });

  test("plans again a few times when an object was missing, since the state that was read may be old", () => {
    const missingFor = (times: number): FakeKernel => {
      let refused = 0;
      return new FakeKernel((requests): readonly Reply[] => {
        const [first, second] = requests as [Message, Message];
        if (first.type === messageType.getGeneration) return [[generationReply(first, 5), verdict(first, 0)]];
        return refused++ < times ? [[verdict(second, ENOENT)]] : obedient(requests);
      });
    };
    let plans = 0;
    const plan = () => {
      plans++;
      return [change("a")];
    };
    update(new Connection(missingFor(3)), plan, NO_TURNS);
    expect(plans).toBe(4);
    expect(() => update(new Connection(missingFor(4)), plan, NO_TURNS)).toThrow("ENOENT");
    expect(plans).toBe(8);
  });
});

test("the generation is a number in network order", () => {
  const kernel = new FakeKernel(([request]) => [
    [generationReply(request as Message, 0x01020304), verdict(request as Message, 0)],
  ]);
  expect(currentGeneration(new Connection(kernel))).toBe(0x01020304);
});
