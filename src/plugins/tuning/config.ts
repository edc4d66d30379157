/** Reads the tuning plugin's keys (rules T1–T6, T14, T31). */
import { readKeys } from "../../cni/keys.ts";
import type { Request } from "../../cni/plugin.ts";
import { formatMac } from "../../net/mac.ts";
import { parse } from "../../schema/parse.ts";
import { KEYS, PLACE_KEYS } from "./keys.ts";
import type { LinkState } from "./link-state.ts";
import type { Sysctl } from "./sysctls.ts";

/** What an attachment gets. */
export interface TuningConfig {
  /** In the order in which they are set. */
  readonly sysctls: readonly Sysctl[];
  /** Only what is to be set. */
  readonly link: LinkState;
  readonly dataDir: string;
}

/** @throws KeyError, CniError code 4 for CNI_ARGS, code 7 for sysctls that cannot be set */
export async function parseTuning(request: Request): Promise<TuningConfig> {
  const { sysctl, argumentSysctl, mac, promisc, mtu, allmulti, txQLen, dataDir } = readKeys(KEYS, request);
  const link: LinkState = {};
  if (mac !== undefined) link.mac = formatMac(mac);
  if (promisc) link.promisc = true;
  if (mtu !== 0) link.mtu = mtu;
  if (allmulti !== undefined) link.allmulti = allmulti;
  if (txQLen !== undefined) link.txQLen = txQLen;
  let sysctls: readonly Sysctl[] = [];
  if (sysctl !== undefined || argumentSysctl !== undefined) {
    const { sysctlsOf } = await import("./sysctls.ts");
    sysctls = sysctlsOf(request, sysctl, argumentSysctl);
  }
  return { sysctls, link, dataDir };
}

/** Whether a setting of the link is configured. */
export const hasSettings = (link: LinkState): boolean => Object.keys(link).length > 0;

/** The directory of the saved settings, the only key that DEL and GC need. @throws KeyError */
export const dataDirOf = ({ config }: Request): string => parse(PLACE_KEYS, config.json).dataDir;
