/** The loopback plugin's keys: only those of every network. */
import type { Keys } from "../../schema/keys.ts";

export const KEYS = [] as const satisfies Keys;
