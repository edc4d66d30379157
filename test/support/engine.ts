/** Which engine (src/engine) the file under test has, for what must be true of one and not of the other. */
import { readFileSync } from "node:fs";
import { hasLoader } from "../../build/needs.ts";
import { builtBinaries } from "./plugin-call.ts";

/** Whether the file under test is the compact file: it is static, and the Bun file never is. */
export const isCompact = (): boolean => !hasLoader(readFileSync(`${builtBinaries()}/bridgehead`));
