/** All findings, once. */
import { CONFIGURATION_CODES } from "./configuration.ts";
import { HOST_CODES } from "./host.ts";
import type { CodeRow } from "./row.ts";

/** In the order of their numbers. */
export const CODES = [...CONFIGURATION_CODES, ...HOST_CODES] as const satisfies readonly CodeRow[];
