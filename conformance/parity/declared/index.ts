/** All that may differ, in the order of the search. */
import type { Exception } from "../../engine/exceptions.ts";
import { FIELDS } from "./fields.ts";
import { FIREWALL_EXCEPTIONS } from "./firewall.ts";
import { LEFTOVERS } from "./leftovers.ts";
import { OUTCOMES } from "./outcomes.ts";
import { PORTMAP_EXCEPTIONS } from "./portmap.ts";
import { TUNING_EXCEPTIONS } from "./tuning.ts";

export const PARITY_EXCEPTIONS: readonly Exception[] = [
  ...FIELDS,
  ...LEFTOVERS,
  ...OUTCOMES,
  ...TUNING_EXCEPTIONS,
  ...PORTMAP_EXCEPTIONS,
  ...FIREWALL_EXCEPTIONS,
];
