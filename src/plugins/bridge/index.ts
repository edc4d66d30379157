/** The bridge plugin: connects a container to a Linux bridge by a veth pair. Each command loads only what it needs. */
import type { Plugin } from "../../cni/plugin.ts";

export const bridge: Plugin = {
  name: "bridge",
  add: async (request) => (await import("./add.ts")).add(request),
  check: async (request) => (await import("./check.ts")).check(request),
  del: async (request) => (await import("./del.ts")).del(request),
  gc: async (request) => (await import("./gc.ts")).gc(request),
  status: async (request) => (await import("./status.ts")).status(request),
};
