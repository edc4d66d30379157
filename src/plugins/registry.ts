/**
 * The plugins, once: main, the operator's commands, the build and the tests read their names here. A plugin's own module
 * holds no more than what loads its commands.
 */
import type { Plugin } from "../cni/plugin.ts";
import { bridge } from "./bridge/index.ts";
import { firewall } from "./firewall/index.ts";
import { hostLocal } from "./host-local/index.ts";
import { loopback } from "./loopback/index.ts";
import { portmap } from "./portmap/index.ts";
import { staticPlugin } from "./static/index.ts";
import { tuning } from "./tuning/index.ts";

/** All of them, in the order in which they are named to people. */
export const PLUGINS: readonly Plugin[] = [
  bridge,
  hostLocal,
  loopback,
  portmap,
  staticPlugin,
  firewall,
  tuning,
];
