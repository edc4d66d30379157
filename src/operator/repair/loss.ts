/** Something that an attachment has lost on the host's side. */
import { toCniError } from "../../cni/error.ts";

/** A loss. */
export interface Loss {
  /** As in "masquerade rules". */
  readonly what: string;
  /** What is missing, in the words of CHECK. */
  readonly why: string;
  /** Undefined if it is only named. */
  readonly putBack?: () => Promise<void>;
}

/** A loss, and the plugin that has made what is lost. */
export interface PluginLoss extends Loss {
  readonly plugin: string;
}

/** A loss, if the check fails. */
export async function lossIf(
  what: string,
  check: () => unknown,
  putBack: () => Promise<void>,
): Promise<readonly Loss[]> {
  try {
    await check();
    return [];
  } catch (error) {
    return [{ what, why: toCniError(error).message, putBack }];
  }
}
