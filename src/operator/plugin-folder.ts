/** Where the programs of the plugins are: the folders of CNI_PATH, by default /opt/cni/bin. */
import { firstProgram } from "../sys/program.ts";

/** Where runtimes search for plugins by default. */
export const PLUGIN_FOLDER = "/opt/cni/bin";

/** The folders of CNI_PATH. As for libcni, one may be relative to the working directory. */
export const foldersIn = (pluginPath: string): string[] =>
  pluginPath.split(":").filter((folder) => folder !== "");

/** The program of a plugin; undefined if no folder of CNI_PATH has one. A type with a path has none. */
export const programOf = (type: string, pluginPath: string): string | undefined =>
  type.includes("/") ? undefined : firstProgram(foldersIn(pluginPath), type);
