/** The portmap plugin. Each command loads only its own code. */
import type { CommandWithoutResult, Plugin, Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";

export const portmap: Plugin = {
  name: "portmap",
  kind: "chained",
  async add(request: Request): Promise<Result> {
    return (await import("./add.ts")).add(request);
  },
  async run(command: CommandWithoutResult, request: Request): Promise<void> {
    if (command === "CHECK") return (await import("./check.ts")).check(request);
    if (command === "DEL") return (await import("./del.ts")).del(request);
    if (command === "GC") return (await import("./gc.ts")).gc(request);
    return (await import("./status.ts")).status(request);
  },
};
