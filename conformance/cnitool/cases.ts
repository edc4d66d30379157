/** All cases of this suite. */
import type { ScratchCase } from "../scratch-lanes.ts";
import { CHAIN_CASES } from "./chains.ts";
import { COLLECTION_CASES } from "./collection.ts";
import { HANDOVER_CASES } from "./handover.ts";
import { LOOPBACK_CASES } from "./loopback.ts";
import { LOSS_CASES } from "./losses.ts";
import { SEVERAL_CASES } from "./several.ts";
import { STATIC_CASES } from "./static.ts";
import { VERSION_CASES } from "./versions.ts";

export const CASES: readonly ScratchCase[] = [
  ...VERSION_CASES,
  ...STATIC_CASES,
  ...CHAIN_CASES,
  ...LOSS_CASES,
  ...COLLECTION_CASES,
  ...SEVERAL_CASES,
  ...LOOPBACK_CASES,
  ...HANDOVER_CASES,
];
