/**
 * Requests and their replies over a transport: acknowledgements, dumps, several requests in one datagram. Knows no
 * socket, so that a fake kernel serves in tests.
 */
import { NetlinkError } from "./error.ts";
import { control, decodeMessages, decodeVerdict, encodeMessages, flag, type Message } from "./message.ts";

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

export class Connection implements Disposable {
  readonly #transport: Transport;
  #sequence = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }

  /** Sends one request and returns its replies. @throws NetlinkError when the kernel refuses it. */
  call(request: Request): readonly Message[] {
    const [outcome] = this.callAll([request]);
    if (outcome?.error !== undefined) throw outcome.error;
    return outcome?.replies ?? [];
  }

  /**
   * Sends several requests in one datagram. The kernel works through them in order and does not stop at a refusal:
   * the outcomes tell, in the order of the requests.
   */
  callAll(requests: readonly Request[]): Outcome[] {
    const first = this.#sequence + 1;
    this.#sequence += requests.length;
    this.#transport.send(
      encodeMessages(
        requests.map((request, index) => ({
          type: request.type,
          flags: request.flags | flag.request | flag.ack,
          sequence: first + index,
          port: 0,
          payload: request.payload,
        })),
      ),
    );
    const replies = requests.map((): Message[] => []);
    const errors = requests.map((): NetlinkError | undefined => undefined);
    for (let open = requests.length; open > 0; ) {
      for (const message of this.#receive()) {
        const index = message.sequence - first;
        const request = requests[index];
        // An earlier conversation's late message is nobody's business any more.
        if (request === undefined) continue;
        if (message.type !== control.error) replies[index]?.push(message);
        else {
          const { errno, ack } = decodeVerdict(message);
          if (errno !== 0) errors[index] = new NetlinkError(request.action, errno, ack);
          open--;
        }
      }
    }
    return requests.map((_, index) => ({ replies: replies[index] ?? [], error: errors[index] }));
  }

  /** All messages of a dump, from one unbroken walk through the kernel's table (G26). */
  dump(request: Request): Message[] {
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      const messages = this.#dumpOnce(request);
      if (messages !== undefined) return messages;
    }
    throw new NetlinkError(request.action, EINTR, {
      text: `the table changed during each of ${DUMP_ATTEMPTS} dumps`,
    });
  }

  /** One walk; undefined when the kernel says that the table changed under it. */
  #dumpOnce(request: Request): Message[] | undefined {
    const sequence = ++this.#sequence;
    const flags = request.flags | flag.request | flag.dump;
    this.#transport.send(
      encodeMessages([{ type: request.type, flags, sequence, port: 0, payload: request.payload }]),
    );
    const messages: Message[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & flag.dumpInterrupted) !== 0) interrupted = true;
        if (message.type !== control.done && message.type !== control.error) {
          messages.push(message);
          continue;
        }
        const { errno, ack } = decodeVerdict(message);
        if (errno === EINTR) return undefined;
        if (errno !== 0) throw new NetlinkError(request.action, errno, ack);
        return interrupted ? undefined : messages;
      }
    }
  }

  #receive(): Message[] {
    return decodeMessages(this.#transport.receive());
  }
}
