/** Finds the plugin that a file name means, since plugins are also installed as "cnv-bridge" and the like. */
import type { Plugin } from "./plugin.ts";

/** The name of the operator's tool. It contains "bridge" and does not mean that plugin. */
const OPERATOR = "bridgehead";

/** The plugins whose names are part of `name`, in any case. An exact match is the only result. */
export function pluginsIn(name: string, plugins: readonly Plugin[]): readonly Plugin[] {
  const found: Plugin[] = [];
  const rest = name.toLowerCase().replaceAll(OPERATOR, " ");
  for (const plugin of plugins) {
    if (plugin.name === name) return [plugin];
    if (rest.includes(plugin.name)) found.push(plugin);
  }
  return found;
}

/** The plugin that a name means, undefined if there are none or several. */
export function pluginIn(name: string, plugins: readonly Plugin[]): Plugin | undefined {
  const found = pluginsIn(name, plugins);
  return found.length === 1 ? found[0] : undefined;
}
