/** All cases of this suite. */
import type { ScratchCase } from "../scratch-lanes.ts";
import { VERSION_CASES } from "./versions.ts";

export const CASES: readonly ScratchCase[] = [...VERSION_CASES];
