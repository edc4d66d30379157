/** The errors of netlink: invalid bytes, values that do not fit, refused and unanswered requests. */
import { describeErrno } from "../sys/errno.ts";

/** Bytes that are not a valid message. The decoders throw only this error. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** A value that does not fit its field. The encoders throw only this error. */
export class UnfitError extends RangeError {
  override readonly name = "UnfitError";
}

/** What an extended acknowledgement adds to an errno (uapi linux/netlink.h, NLMSGERR_ATTR_*). */
export interface ExtendedAck {
  /** The kernel's own words. */
  readonly text?: string | undefined;
  /** Offset of the offending attribute in the request, counted from its header. */
  readonly offset?: number | undefined;
  /** Type of an attribute that the request lacks. */
  readonly missing?: number | undefined;
}

/** A dump that was always interrupted, a transaction that another program overtook, an answer that did not arrive. */
const TEMPORARY = ["EINTR", "ERESTART", "ETIMEDOUT"];

/** A request that the kernel refused. Programs compare `code` ("EEXIST"); the message is for people. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  /** The action of the request, such as `add link "veth1"`. */
  readonly request: string;
  readonly errno: number;
  readonly code: string;
  readonly ack: ExtendedAck;
  /** Another program interfered, or the kernel was too slow, so that a retry may succeed. */
  readonly isTemporary: boolean;

  constructor(request: string, errno: number, ack: ExtendedAck = {}) {
    const words = ack.text === undefined ? "" : `; the kernel says: ${ack.text}`;
    const missing = ack.missing === undefined ? "" : `; attribute ${ack.missing} is missing`;
    const { name, text } = describeErrno(errno);
    super(`cannot ${request}: ${text} (${name})${words}${missing}`);
    this.request = request;
    this.errno = errno;
    this.code = name;
    this.ack = ack;
    this.isTemporary = TEMPORARY.includes(name);
  }
}

/**
 * A request without an answer: it could not be sent, its answer was lost, or the call's deadline passed (ETIMEDOUT). It is
 * unknown whether the kernel carried it out. `code` is that of the socket's system call.
 */
export class UnansweredError extends NetlinkError {
  constructor(request: string, errno: number) {
    super(request, errno);
    if (this.code === "ETIMEDOUT") {
      this.message = `cannot ${request}: the kernel has not answered before the call's deadline; try again later`;
    }
  }
}

/** Whether `error` is a refusal with one of these errno names. */
export const refusedWith = (error: unknown, ...codes: string[]): boolean =>
  error instanceof NetlinkError && !(error instanceof UnansweredError) && codes.includes(error.code);
