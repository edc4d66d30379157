/** The loopback plugin. It loads its own code only for a command that needs it. */
import type { CommandWithoutResult, Plugin, Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";

export const loopback: Plugin = {
  name: "loopback",
  kind: "interface",
  async add(request: Request): Promise<Result> {
    return (await import("./loopback.ts")).add(request);
  },
  async run(command: CommandWithoutResult, request: Request): Promise<void> {
    const { check, del } = await import("./loopback.ts");
    if (command === "CHECK") check(request);
    if (command === "DEL") del(request);
    // GC and STATUS have nothing to do: the plugin creates nothing on the host, and every namespace has its lo.
  },
};
