/** The tables of keys of all plugins, for what describes or judges configurations: documents, schemas, `validate`. */
import type { Keys } from "../schema/keys.ts";
import { KEYS as bridge } from "./bridge/keys.ts";
import { KEYS as firewall } from "./firewall/keys.ts";
import { KEYS as hostLocal, SECTION as hostLocalSection } from "./host-local/keys.ts";
import { KEYS as loopback } from "./loopback/keys.ts";
import { KEYS as portmap } from "./portmap/keys.ts";
import { KEYS as staticKeys, SECTION as staticSection } from "./static/keys.ts";
import { KEYS as tuning } from "./tuning/keys.ts";

/** The keys of one plugin. */
export interface PluginKeys {
  readonly name: string;
  readonly keys: Keys;
  /** The section of the configuration that holds them; undefined for the configuration itself. */
  readonly section: string | undefined;
}

/** In the order of the registry. */
export const PLUGIN_KEYS: readonly PluginKeys[] = [
  { name: "bridge", keys: bridge, section: undefined },
  { name: "host-local", keys: hostLocal, section: hostLocalSection },
  { name: "loopback", keys: loopback, section: undefined },
  { name: "portmap", keys: portmap, section: undefined },
  { name: "static", keys: staticKeys, section: staticSection },
  { name: "firewall", keys: firewall, section: undefined },
  { name: "tuning", keys: tuning, section: undefined },
];
