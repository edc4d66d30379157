/** The loopback plugin. VERSION and the other plugins load nothing of it. */
import type { Plugin } from "../../cni/plugin.ts";

export const loopback: Plugin = {
  name: "loopback",
  add: async (request) => (await import("./loopback.ts")).add(request),
  check: async (request) => (await import("./loopback.ts")).check(request),
  del: async (request) => (await import("./loopback.ts")).del(request),
  gc: async () => (await import("./loopback.ts")).gc(),
  status: async () => (await import("./loopback.ts")).status(),
};
