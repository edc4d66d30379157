/** host-local: hands out addresses from configured ranges and keeps the leases in files on this machine. */
import type { Plugin } from "../../cni/plugin.ts";

export const hostLocal: Plugin = {
  name: "host-local",
  add: async (request) => (await import("./add.ts")).add(request),
  check: async (request) => (await import("./check.ts")).check(request),
  del: async (request) => (await import("./del.ts")).del(request),
  gc: async (request) => (await import("./gc.ts")).gc(request),
  status: async (request) => (await import("./status.ts")).status(request),
};
