/** What can go wrong on a netlink socket: bytes that make no sense, and requests that the kernel refused. */
import { describeErrno } from "../sys/errno.ts";

/** Bytes that are not the message they should be. The decoders throw nothing else. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** A value that has no room in its field. The encoders throw nothing else. */
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

/** A dump that was interrupted each time, a transaction that others were faster than, an answer that did not come. */
const TEMPORARY = ["EINTR", "ERESTART", "ETIMEDOUT"];

/** A request that the kernel refused. `code` ("EEXIST") is for comparing, the message for people. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  /** What was asked, e.g. `add link "veth1"`. */
  readonly request: string;
  readonly errno: number;
  readonly code: string;
  readonly ack: ExtendedAck;
  /** Another program was in the way, or the kernel too slow: it may work later. */
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
 * A request that the kernel has not answered: it could not be sent, its answer was lost, or none came before the call's
 * deadline (ETIMEDOUT). Whether it was done is not known. `code` is that of the socket's call.
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
