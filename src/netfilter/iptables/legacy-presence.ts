/** Whether iptables-legacy is in use. */
import type { Family } from "../../net/ip.ts";
import { failedWith } from "../../sys/errno.ts";
import { readText } from "../../sys/file.ts";

/** Whether the kernel has x_tables' nat table in this network namespace: asking the table itself would make it. */
export function hasLegacyTable(family: Family): boolean {
  try {
    return readText(`/proc/thread-self/net/${family === 4 ? "ip" : "ip6"}_tables_names`)
      .split("\n")
      .includes("nat");
  } catch (error) {
    if (failedWith(error, "ENOENT")) return false;
    throw error;
  }
}
