/**
 * Sends requests over a transport and collects the replies: acknowledgements, dumps, several requests in one datagram.
 * The transport is an interface, so that tests can use a fake kernel.
 */
// Long because: each way in which a conversation can end has its lines here.
import { timeLeft } from "../sys/deadline.ts";
import { SystemError } from "../sys/errno.ts";
import { NetlinkError, UnansweredError } from "./error.ts";
import {
  control,
  decodeAck,
  decodeMessages,
  encodeMessages,
  flag,
  isAck,
  isPlain,
  type Message,
} from "./message.ts";

/** What carries datagrams to the kernel and back. */
export interface Transport extends Disposable {
  send(datagram: Uint8Array): void;
  /** The next datagram, complete. @throws SystemError, ENOBUFS when replies were lost. */
  receive(): Uint8Array;
}

/** A request. The connection adds the sequence number, NLM_F_REQUEST and NLM_F_ACK. */
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
  /** Replies before the acknowledgement, such as the requested link. */
  readonly replies: readonly Message[];
  readonly error: NetlinkError | undefined;
}

/** The kernel interrupts a dump when its table changes, which on a busy host can happen many times in a row. */
const DUMP_ATTEMPTS = 32;
const EINTR = 4;
const ENOBUFS = 105;
const ETIMEDOUT = 110;
/** The clock is read once in so many datagrams, since the first read costs more than they do. */
const CLOCK_EVERY = 64;

export class Connection implements Disposable {
  private readonly transport: Transport;
  private sequence = 0;
  private datagrams = 0;
  /** Action of the request that was sent, or of the first of several. */
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

  /** Gets one object, which is the only reply. @throws NetlinkError when the kernel refuses it; DecodeError. */
  get(request: Request): readonly Message[] {
    return repliesOf(this.converse([request], true));
  }

  /**
   * Sends several requests in one datagram. The kernel handles them in order and continues after a refusal. Returns the
   * outcomes in the order of the requests. @throws DecodeError when a reply is invalid.
   */
  callAll(requests: readonly Request[]): Outcome[] {
    return this.converse(requests, false);
  }

  /**
   * The same for requests that each get one object. The object ends its request without an ack, which halves the number
   * of datagrams to receive. @throws DecodeError when a reply is invalid.
   */
  getAll(requests: readonly Request[]): Outcome[] {
    return this.converse(requests, true);
  }

  /** The first ack, or the object, ends a request; later messages, a second ack too, are ignored. */
  private converse(requests: readonly Request[], objectEnds: boolean): Outcome[] {
    // The kernel would not answer an empty datagram.
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
        // Ignore late messages of earlier requests.
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
   * Sends messages as one datagram that takes effect completely or not at all (nf_tables batches). Flags stay unchanged:
   * at least one message must request an acknowledgement (NLM_F_ACK). The first refusal of any message ends the wait.
   * @returns the other replies (NLM_F_ECHO). @throws NetlinkError; DecodeError.
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
   * The values that `keep` returns for the messages of one uninterrupted dump (G26); undefined is not kept. Since a table
   * may be very large, only these values stay in memory. After an interrupted dump they are dropped and `keep` is called
   * for all messages again, so it must not have side effects.
   * @throws NetlinkError when the kernel refuses the dump, EINTR when all attempts were interrupted; DecodeError.
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

  /**
   * The same for a value that is not a list. Each attempt starts with `begin`; `take` adds a message to it. Datagrams without
   * any message that `mayHold` wants are not decoded (sieve.ts).
   */
  fold<Sum>(
    request: Request,
    begin: () => Sum,
    take: (sum: Sum, message: Message) => void,
    mayHold?: (datagram: Uint8Array) => boolean,
  ): Sum {
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      const sum = begin();
      if (this.walk(request, sum, take, mayHold)) return sum;
    }
    throw new NetlinkError(request.action, EINTR, {
      text: `the table changed during each of ${DUMP_ATTEMPTS} dumps`,
    });
  }

  /** One attempt at a dump; false when the kernel reports that the table changed meanwhile. */
  private walk<Sum>(
    request: Request,
    sum: Sum,
    take: (sum: Sum, message: Message) => void,
    mayHold: ((datagram: Uint8Array) => boolean) | undefined,
  ): boolean {
    const sequence = this.send([request], flag.dump);
    let interrupted = false;
    let failure: { error: unknown } | undefined;
    for (;;) {
      for (const message of this.receive(mayHold)) {
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
          // Read on: the kernel starts another dump on this socket only after the end of this one.
          failure = { error };
        }
      }
    }
  }

  /** Sends requests as one datagram with additional `flags`. Returns the first one's sequence number. */
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
   * The next datagram's messages; none if `mayHold` does not want them. The deadline is also checked here, for dumps whose
   * datagrams never end.
   */
  private receive(mayHold?: (datagram: Uint8Array) => boolean): Message[] {
    if (++this.datagrams % CLOCK_EVERY === 0 && timeLeft() === 0)
      throw new UnansweredError(this.action, ETIMEDOUT);
    let messages: Message[];
    try {
      const datagram = this.transport.receive();
      if (mayHold !== undefined && isPlain(datagram) && !mayHold(datagram)) return [];
      messages = decodeMessages(datagram);
    } catch (error) {
      throw unanswered(this.action, error);
    }
    for (const { type } of messages)
      if (type === control.overrun) throw new UnansweredError(this.action, ENOBUFS);
    return messages;
  }
}

/** The error for a failure of the transport. */
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
