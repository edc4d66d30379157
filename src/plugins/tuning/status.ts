/** STATUS: whether the configured sysctls may be set on this node (rule T40). It changes nothing. */
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { parseTuning } from "./config.ts";

export async function status(request: Request): Promise<void> {
  const { sysctls } = await parseTuning(request);
  // A wrong allowlist does no harm to a network without sysctls (rule K27).
  if (sysctls.length === 0) return;
  const { requireAllowed, requireValid } = await import("./allowlist.ts");
  try {
    requireAllowed(sysctls);
    requireValid();
  } catch (error) {
    throw new CniError(code.notAvailable, toCniError(error).message, "", { cause: error });
  }
}
