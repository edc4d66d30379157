/** One family's part of a transaction that publishes ports. */
import type { Request } from "../../netlink/connection.ts";
import type { Rival } from "./published.ts";

/** What is known of the records of rivals. */
export type Verdicts = Map<string, "gone" | "alive">;

/** How one kind of table is changed: messages for the transaction, and the rivals that were found on the way. */
export interface Step {
  readonly requests: readonly Request[];
  readonly rivals: readonly Rival[];
}
