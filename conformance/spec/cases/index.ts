/** All cases, in the order of the report. */
import type { Case } from "../../engine/case.ts";
import { ADD } from "./add.ts";
import { ARGS } from "./args.ts";
import { CHECK } from "./check.ts";
import { COMMAND } from "./command.ts";
import { DEL } from "./del.ts";
import { DELEGATION } from "./delegation.ts";
import { ENVIRONMENT } from "./environment.ts";
import { GC } from "./gc.ts";
import { KEYS } from "./keys.ts";
import { OUTPUT } from "./output.ts";
import { PARALLEL } from "./parallel.ts";
import { RESULTS } from "./results.ts";
import { STATUS } from "./status.ts";
import { STDIN } from "./stdin.ts";

export const CASES: readonly Case[] = [
  ...ENVIRONMENT,
  ...COMMAND,
  ...STDIN,
  ...KEYS,
  ...OUTPUT,
  ...RESULTS,
  ...ADD,
  ...DEL,
  ...CHECK,
  ...STATUS,
  ...GC,
  ...PARALLEL,
  ...DELEGATION,
  ...ARGS,
];
