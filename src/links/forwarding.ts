/** Turns forwarding on, and off on undo, with the settings that the kernel changes along with it (rules B26, K16). */
import { CniError, code } from "../cni/error.ts";
import type { Family } from "../net/ip.ts";
import { listDirectory } from "../sys/directory.ts";
import { failedWith, SystemError } from "../sys/errno.ts";
import { ensureSysctl, sysctlIfThere, sysctlName } from "../sys/sysctl.ts";
import { FORWARDING } from "./gateway.ts";
import { lockHost } from "./host-lock.ts";
import type { Change } from "./link.ts";
import { keepRouterAdvertisements } from "./router-advertisements.ts";

/**
 * Turns forwarding on for the given families (rule B26). With `takeBack` a failing ADD turns it off again.
 */
export function enableForwarding(change: Change, families: readonly Family[], takeBack: boolean): void {
  // Under the lock no undo of another ADD can turn forwarding off.
  using _lock = lockHost();
  for (const family of families) {
    const setting = FORWARDING[family];
    const name = sysctlName(setting);
    try {
      if (family === 6) keepRouterAdvertisements(change);
      if (takeBack) change.undo.push(setting.join("/"), undoOf(family));
      ensureSysctl(setting, "1");
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const remedy = failedWith(error, "ENOENT")
        ? `; the kernel has no IPv${family}: enable it, or take the IPv${family} ranges out of the network's "ipam"`
        : failedWith(error, "EROFS", "EACCES")
          ? `; set it on the host: sysctl -w ${name}=1`
          : "";
      const message = `failed to enable forwarding: ${error.message}${remedy}`;
      throw new CniError(code.internal, message, "", { cause: error });
    }
  }
}

/**
 * Returns the undo, which turns forwarding off and restores what the kernel overwrites by that: the forwarding of each
 * interface and of new ones, and for IPv4 whether redirects are accepted. Values that the kernel sets itself are skipped.
 */
function undoOf(family: Family): () => void {
  const folder = ["net", `ipv${family}`, "conf"];
  const before: [parts: string[], value: string][] = [];
  for (const name of listDirectory(`/proc/sys/${folder.join("/")}`)) {
    const parts = [...folder, name, "forwarding"];
    if (name !== "all" && sysctlIfThere(...parts) === "1") before.push([parts, "1"]);
  }
  const redirects = [...folder, "all", "accept_redirects"];
  if (family === 4 && sysctlIfThere(...redirects) === "0") before.push([redirects, "0"]);
  return () => {
    ensureSysctl(FORWARDING[family], "0");
    for (const [parts, value] of before)
      if (sysctlIfThere(...parts) !== undefined) ensureSysctl(parts, value);
  };
}
