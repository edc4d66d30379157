/**
 * Dumps of nf_tables of which a call needs little: of a node's thousands of rules it decodes a few, and passes over the
 * datagrams of the others.
 */
import type { Connection, Request } from "./connection.ts";
import type { Message } from "./message.ts";

/** What of a dump is kept. There is a new one for each attempt. */
export interface Sieve<T> {
  /** Whether any message of a datagram may be kept. */
  readonly mayHold: (datagram: Uint8Array) => boolean;
  /** The value of a message; undefined is not kept. */
  readonly keep: (message: Message) => T | undefined;
}

/** The values that a sieve keeps, as `dump` of Connection gives them. @throws NetlinkError; DecodeError */
export function sift<T>(connection: Connection, request: Request, begin: () => Sieve<T>): T[] {
  let sieve = begin();
  return connection.fold(
    request,
    () => {
      sieve = begin();
      return [] as T[];
    },
    (kept, message) => {
      const value = sieve.keep(message);
      if (value !== undefined) kept.push(value);
    },
    (datagram) => sieve.mayHold(datagram),
  );
}
