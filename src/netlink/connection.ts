/**
 * Requests and their replies over a transport: acknowledgements, dumps, several requests in one datagram. Knows no
 * socket, so that a fake kernel serves in tests.
 */
import { timeLeft } from "../sys/deadline.ts";
import { SystemError } from "../sys/errno.ts";
import { NetlinkError, UnansweredError } from "./error.ts";
import { control, decodeAck, decodeMessages, encodeMessages, flag, isAck, type Message } from "./message.ts";

/** What carries datagrams to the kernel and back. */
export interface Transport extends Disposable {
  send(datagram: Uint8Array): void;
  /** The next datagram, whole. @throws SystemError, ENOBUFS when replies were lost. */
  receive(): Uint8Array;
}

/** A request without what the connection adds (sequence number, NLM_F_REQUEST and NLM_F_ACK). */
export interface Request {
  /** What it does, for errors: `add link "veth1"`. */
  readonly action: string;
  readonly type: number;
  /** NLM_F_CREATE and the like. */
  readonly flags: number;
  readonly payload: Uint8Array;
}

/** How one request of several ended. */
export interface Outcome {
  /** Replies before the acknowledgement, e.g. the link that was asked for. */
  readonly replies: readonly Message[];
  readonly error: NetlinkError | undefined;
}

/** The kernel gives up a dump when its table changes meanwhile; under churn that can happen many times in a row. */
const DUMP_ATTEMPTS = 32;
const EINTR = 4;
const ENOBUFS = 105;
const ETIMEDOUT = 110;
/** The clock is looked at once in so many datagrams: a first look costs more than they do. */
const CLOCK_EVERY = 64;

export class Connection implements Disposable {
  private readonly transport: Transport;
  private sequence = 0;
  private datagrams = 0;
  /** What the request on its way does, or the first of several. */
  private action = "";

  constructor(transport: Transport) {
    this.transport = transport;
  }

  [Symbol.dispose](): void {
    this.transport[Symbol.dispose]();
  }

  /** Sends one request and returns its replies. @throws NetlinkError when the kernel refuses it; DecodeError. */
  call(request: Request): readonly Message[] {
    return repliesOf(this.converse([request], false));
  }

  /** Asks for one object, which is the only reply. @throws NetlinkError when the kernel refuses it; DecodeError. */
  get(request: Request): readonly Message[] {
    return repliesOf(this.converse([request], true));
  }

  /**
   * Sends several requests in one datagram. The kernel works through them in order and does not stop at a refusal:
   * the outcomes tell, in the order of the requests. @throws DecodeError when a reply makes no sense.
   */
  callAll(requests: readonly Request[]): Outcome[] {
    return this.converse(requests, false);
  }

  /**
   * The same for requests that each ask for one object: the object ends its request, and there are half as many
   * datagrams to take in. @throws DecodeError when a reply makes no sense.
   */
  getAll(requests: readonly Request[]): Outcome[] {
    return this.converse(requests, true);
  }

  /** The first ack, or the object, ends a request; later messages, a second ack too, are ignored. */
  private converse(requests: readonly Request[], objectEnds: boolean): Outcome[] {
    // The kernel refuses an empty datagram, and nothing would answer it.
    if (requests.length === 0) return [];
    const first = this.send(requests, objectEnds ? 0 : flag.ack);
    const outcomes: (Outcome & { replies: Message[]; error: NetlinkError | undefined; ended: boolean })[] =
      [];
    for (let count = 0; count < requests.length; count++)
      outcomes.push({ replies: [], error: undefined, ended: false });
    for (let open = outcomes.length; open > 0; ) {
      for (const message of this.receive()) {
        const index = message.sequence - first;
        const outcome = outcomes[index];
        // An earlier conversation's late message does not matter any more.
        if (outcome === undefined || outcome.ended) continue;
        outcome.ended = true;
        if (isAck(message)) outcome.error = refusal(requests[index], message);
        else {
          outcome.replies.push(message);
          outcome.ended = objectEnds;
        }
        if (outcome.ended) open--;
      }
    }
    return outcomes;
  }

  /**
   * Sends messages that belong together as one datagram, for protocols that take it as a whole or not at all
   * (nf_tables batches). Flags stay as they are: at least one message has to ask for an acknowledgement (NLM_F_ACK).
   * The first refusal ends it, be it of a message that asked for none.
   * @returns what the kernel sent besides acknowledgements (NLM_F_ECHO). @throws NetlinkError; DecodeError.
   */
  transact(requests: readonly Request[]): Message[] {
    const first = this.send(requests, 0);
    const waits: boolean[] = [];
    for (const { flags } of requests) waits.push((flags & flag.ack) !== 0);
    const replies: Message[] = [];
    while (waits.includes(true)) {
      for (const message of this.receive()) {
        const index = message.sequence - first;
        const request = requests[index];
        if (request === undefined) continue;
        if (!isAck(message)) {
          replies.push(message);
          continue;
        }
        const error = refusal(request, message);
        if (error !== undefined) throw error;
        waits[index] = false;
      }
    }
    return replies;
  }

  /**
   * What `keep` makes of the messages of a dump, from one unbroken walk through the kernel's table (G26); undefined
   * keeps nothing. A table may be as large as others make it: what is kept decides how much memory that takes. After an
   * interrupted walk what was kept is dropped and `keep` sees the table again, so it must do nothing else.
   * @throws NetlinkError when the kernel refuses it, EINTR when the table never keeps still; DecodeError.
   */
  dump<T>(request: Request, keep: (message: Message) => T | undefined): T[] {
    return this.fold(
      request,
      () => [] as T[],
      (kept, message) => {
        const value = keep(message);
        if (value !== undefined) kept.push(value);
      },
    );
  }

  /** The same for what is not a list: each walk begins with what `begin` gives, into which `take` puts each message. */
  fold<Sum>(request: Request, begin: () => Sum, take: (sum: Sum, message: Message) => void): Sum {
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      const sum = begin();
      if (this.walk(request, sum, take)) return sum;
    }
    throw new NetlinkError(request.action, EINTR, {
      text: `the table changed during each of ${DUMP_ATTEMPTS} dumps`,
    });
  }

  /** One walk through a table; false when the kernel says that the table changed under it. */
  private walk<Sum>(request: Request, sum: Sum, take: (sum: Sum, message: Message) => void): boolean {
    const sequence = this.send([request], flag.dump);
    let interrupted = false;
    let failure: { error: unknown } | undefined;
    for (;;) {
      for (const message of this.receive()) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & flag.dumpInterrupted) !== 0) interrupted = true;
        if (isAck(message)) {
          const error = refusal(request, message);
          if (error !== undefined && error.errno !== EINTR) throw error;
          if (interrupted || error !== undefined) return false;
          if (failure !== undefined) throw failure.error;
          return true;
        }
        try {
          if (!interrupted && failure === undefined) take(sum, message);
        } catch (error) {
          // The kernel starts no other dump on this socket before the end of this one.
          failure = { error };
        }
      }
    }
  }

  /** Sends requests as one datagram, with more flags than their own; returns the first one's sequence number. */
  private send(requests: readonly Request[], flags: number): number {
    const first = this.sequence + 1;
    this.action = requests[0]?.action ?? "";
    const messages: Message[] = [];
    for (const { type, flags: own, payload } of requests) {
      const sequence = ++this.sequence;
      messages.push({ type, flags: own | flag.request | flags, sequence, port: 0, payload });
    }
    try {
      this.transport.send(encodeMessages(messages));
    } catch (error) {
      throw unanswered(this.action, error);
    }
    return first;
  }

  /**
   * The next datagram's messages. The deadline holds also where datagrams keep coming,
   * as in dumps that are interrupted again and again.
   */
  private receive(): Message[] {
    if (++this.datagrams % CLOCK_EVERY === 0 && timeLeft() === 0)
      throw new UnansweredError(this.action, ETIMEDOUT);
    let messages: Message[];
    try {
      messages = decodeMessages(this.transport.receive());
    } catch (error) {
      throw unanswered(this.action, error);
    }
    for (const { type } of messages)
      if (type === control.overrun) throw new UnansweredError(this.action, ENOBUFS);
    return messages;
  }
}

/** A failure of the transport itself, reported with what was asked. */
const unanswered = (action: string, error: unknown): unknown =>
  error instanceof SystemError ? new UnansweredError(action, error.errno) : error;

/** The error in an ack; undefined when the request succeeded. */
function refusal(request: Request | undefined, ack: Message): NetlinkError | undefined {
  const { errno, extended } = decodeAck(ack);
  return errno === 0 ? undefined : new NetlinkError(request?.action ?? "", errno, extended);
}

/** The replies to the only request. @throws NetlinkError */
function repliesOf([outcome]: readonly Outcome[]): readonly Message[] {
  if (outcome?.error !== undefined) throw outcome.error;
  return outcome?.replies ?? [];
}
