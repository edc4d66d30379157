/** All cases, in the order of the report. */
import type { BenchCase } from "../case.ts";
import { CHAINS } from "./chain.ts";
import { COLD } from "./cold.ts";
import { COMMANDS } from "./commands.ts";
import { LEASES } from "./leases.ts";
import { PARALLEL } from "./parallel.ts";
import { SHAPES } from "./shapes.ts";
import { STANDING } from "./standing.ts";
import { VERSION } from "./start.ts";

export const CASES: readonly BenchCase[] = [
  VERSION,
  ...SHAPES,
  ...COMMANDS,
  ...CHAINS,
  COLD,
  PARALLEL,
  ...LEASES,
  ...STANDING,
];
