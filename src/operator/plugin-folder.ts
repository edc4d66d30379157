/** Where runtimes search for plugins by default. */
export const PLUGIN_FOLDER = "/opt/cni/bin";
