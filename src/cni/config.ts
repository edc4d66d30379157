/**
 * The network configuration on stdin, as far as every plugin shares it (rules A9–A15, A37–A39). A plugin reads its
 * own keys from `json` with the checked accessors of json-object.ts.
 */
import type { JsonObject } from "./json-object.ts";
import type { Result } from "./result.ts";
import type { Version } from "./version.ts";

/** One attachment of GC's list. */
export interface ValidAttachment {
  readonly containerId: string;
  readonly ifname: string;
}

export interface NetworkConfig {
  readonly cniVersion: Version;
  readonly name: string;
  /** The whole document. */
  readonly json: JsonObject;
  /** prevResult converted to the current form; undefined when the configuration has none. Parsed on first use. */
  readonly prevResult: Result | undefined;
  /** cni.dev/valid-attachments (or cni.dev/attachments); undefined when absent or null: see rule A39. */
  readonly validAttachments: readonly ValidAttachment[] | undefined;
}
