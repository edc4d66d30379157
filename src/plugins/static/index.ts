/** The static plugin. It stores nothing, so DEL and GC have nothing to do, whatever the configuration is (rule S1). */
import type { CommandWithoutResult, Plugin, Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";

export const staticPlugin: Plugin = {
  name: "static",
  kind: "ipam",
  async add(request: Request): Promise<Result> {
    return (await import("./static.ts")).add(request);
  },
  async run(command: CommandWithoutResult, request: Request): Promise<void> {
    if (command === "DEL" || command === "GC") return;
    const { check, status } = await import("./static.ts");
    if (command === "CHECK") check(request);
    else status(request);
  },
};
