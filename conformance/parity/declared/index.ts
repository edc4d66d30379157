/** All that may differ, in the order of the search. */
import type { Exception } from "../../engine/exceptions.ts";
import { FIELDS } from "./fields.ts";
import { LEFTOVERS } from "./leftovers.ts";
import { OUTCOMES } from "./outcomes.ts";
import { TUNING_EXCEPTIONS } from "./tuning.ts";

export const PARITY_EXCEPTIONS: readonly Exception[] = [
  ...FIELDS,
  ...LEFTOVERS,
  ...OUTCOMES,
  ...TUNING_EXCEPTIONS,
];
