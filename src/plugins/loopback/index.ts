/** The loopback plugin. VERSION and the other plugins load nothing of it. */
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
    // Nothing on the host could be stale, and every namespace has its lo.
  },
};
