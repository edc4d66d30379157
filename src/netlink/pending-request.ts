/** One request of a conversation until it is answered. */
import { NetlinkError } from "./error.ts";
import { decodeVerdict, isVerdict, type Message } from "./message.ts";

/** What the kernel sends last in answer to a request that it does not refuse. */
export type End = "acknowledgement" | "object";

/** A request on its way. The first verdict counts; what follows it, a second one too, changes nothing. */
export class PendingRequest {
  private readonly action: string;
  private readonly end: End;
  private ended = false;
  readonly replies: Message[] = [];
  error: NetlinkError | undefined;

  /** `action` is what the request does, for its error. */
  constructor(action: string, end: End) {
    this.action = action;
    this.end = end;
  }

  /** Takes in a message and returns whether the request ended with it. */
  take(message: Message): boolean {
    if (this.ended) return false;
    if (!isVerdict(message)) {
      this.replies.push(message);
      this.ended = this.end === "object";
      return this.ended;
    }
    const { errno, ack } = decodeVerdict(message);
    if (errno !== 0) this.error = new NetlinkError(this.action, errno, ack);
    this.ended = true;
    return true;
  }
}
