/** STATUS: whether an ADD could succeed now (rules A35, L1). */
import type { Request } from "../../cni/plugin.ts";
import { parseAllocation } from "./config.ts";

export async function status(request: Request): Promise<void> {
  parseAllocation(request);
}
