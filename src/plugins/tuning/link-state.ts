/** The settings of a link that the plugin changes, in the form in which they are saved: reads, changes and bounds (T8–T10). */
import { CniError, code } from "../../cni/error.ts";
import { formatMac, parseMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import { getLink } from "../../netlink/rtnetlink/link.ts";
import {
  changeLinkSettings,
  type LinkSettings,
  linkSettingsOf,
  modeFlag,
} from "../../netlink/rtnetlink/link-settings.ts";

/** Settings of a link, all or some. `mac` is in lower case with ":" between the bytes. */
export interface LinkState {
  mac?: string;
  promisc?: boolean;
  mtu?: number;
  allmulti?: boolean;
  txQLen?: number;
}

/** The settings in the order in which they are changed, which is that of the reference's file as well. */
export const SETTINGS = ["mac", "promisc", "mtu", "allmulti", "txQLen"] as const;

/** The name of a setting, as in the configuration. */
export type Setting = (typeof SETTINGS)[number];

/** A link as it is now. */
export interface FoundLink {
  readonly index: number;
  readonly name: string;
  readonly state: LinkState;
  /** Whether it receives all frames, whoever asked for that. */
  readonly isPromiscuous: boolean;
  /** Bounds of the mtu; undefined where the kernel does not say. */
  readonly mtus: readonly [least: number, most: number] | undefined;
}

/** The link of that name or index; undefined if there is none. @throws NetlinkError */
export function findSettings(
  connection: Connection,
  wanted: string | { readonly index: number },
): FoundLink | undefined {
  const [outcome] = connection.getAll([getLink(typeof wanted === "string" ? { name: wanted } : wanted)]);
  if (refusedWith(outcome?.error, "ENODEV", "ERANGE")) return undefined;
  if (outcome?.error !== undefined) throw outcome.error;
  const link = linkSettingsOf(outcome?.replies ?? []);
  const { index, name, flags = 0, mac, mtu, txQLen, promiscuity = 0, minMtu, maxMtu } = link ?? {};
  if (index === undefined || name === undefined) return undefined;
  const state: LinkState = {
    promisc: (flags & modeFlag.promisc) !== 0,
    allmulti: (flags & modeFlag.allmulti) !== 0,
  };
  if (mac !== undefined) state.mac = formatMac(mac);
  if (mtu !== undefined) state.mtu = mtu;
  if (txQLen !== undefined) state.txQLen = txQLen;
  return { index, name, state, isPromiscuous: promiscuity > 0, mtus: mtusOf(minMtu, maxMtu) };
}

/** A maximum of 0 is none (dev_validate_mtu of the kernel's net/core/dev.c). */
const mtusOf = (least: number | undefined, most: number | undefined): FoundLink["mtus"] =>
  least === undefined || most === undefined ? undefined : [least, most || 0xffffffff];

/** @throws CniError code 7 if the kernel would refuse a value for this link */
export function requireInBounds(
  { name, state, mtus }: FoundLink,
  { mac, mtu }: LinkState,
  netns: string,
): void {
  const where = `on ${JSON.stringify(name)} in ${netns}`;
  if (mtu !== undefined && mtus !== undefined && (mtu < mtus[0] || mtu > mtus[1])) {
    const bounds = `the kernel takes ${mtus[0]}–${mtus[1]} (now ${state.mtu})`;
    throw new CniError(code.invalidConfig, `cannot set mtu ${mtu} ${where}: ${bounds}`);
  }
  if (mac !== undefined && state.mac?.length !== mac.length) {
    const found = state.mac ? `its hardware address is ${state.mac}` : "it has no hardware address";
    throw new CniError(code.invalidConfig, `cannot set mac ${mac} ${where}: ${found}; leave out mac`);
  }
}

/** Changes one setting of a link. `where` follows in an error: " in /run/netns/c1". @throws NetlinkError */
export function setSetting(
  connection: Connection,
  { index, name }: Pick<FoundLink, "index" | "name">,
  setting: Setting,
  value: string | number | boolean,
  where = "",
): void {
  const action = `set ${setting} ${value} on ${JSON.stringify(name)}${where}`;
  connection.call(changeLinkSettings({ ...fieldsFor(setting, value), index }, action));
}

function fieldsFor(setting: Setting, value: string | number | boolean): LinkSettings {
  switch (setting) {
    case "mac":
      return { mac: parseMac(String(value)) ?? new Uint8Array() };
    case "promisc":
    case "allmulti":
      return { flags: value ? modeFlag[setting] : 0, change: modeFlag[setting] };
    case "mtu":
    case "txQLen":
      return { [setting]: Number(value) };
  }
}
