/** Attachments that stand on a host while others come and go. */
import { addNamespaces, type CallOptions, pluginCall } from "./attachment.ts";
import type { BenchHost } from "./host.ts";

/** Attachments made by the plugin itself, each in a namespace of its own. */
export async function standByPlugin(
  host: BenchHost,
  options: Pick<CallOptions, "folder" | "shape">,
  count: number,
): Promise<void> {
  await addNamespaces(host, "standing", count);
  for (let number = 0; number < count; number++) {
    await host.time([pluginCall("ADD", { ...options, number, netns: `standing${number}` })], 0);
  }
}
