/** The firewall plugin. A call loads only the code of its command. */
import type { CommandWithoutResult, Plugin, Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";

export const firewall: Plugin = {
  name: "firewall",
  kind: "chained",
  oldest: "0.4.0",
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
