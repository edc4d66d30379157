/** Which plugin a file's name means. People install the plugins under names of their own, as in "cnv-bridge". */
import type { Plugin } from "./plugin.ts";

/** The operator's name, which contains that of a plugin and means none. */
const OPERATOR = "bridgehead";

/** Those of `plugins` whose names a name contains, the one alone whose it is. Case does not count. */
export function pluginsIn(name: string, plugins: readonly Plugin[]): readonly Plugin[] {
  const found: Plugin[] = [];
  const rest = name.toLowerCase().replaceAll(OPERATOR, " ");
  for (const plugin of plugins) {
    if (plugin.name === name) return [plugin];
    if (rest.includes(plugin.name)) found.push(plugin);
  }
  return found;
}

/** The one plugin that a name means, undefined if that is not clear. */
export function pluginIn(name: string, plugins: readonly Plugin[]): Plugin | undefined {
  const found = pluginsIn(name, plugins);
  return found.length === 1 ? found[0] : undefined;
}
