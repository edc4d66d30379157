/** Finds the process that holds the flock(2) of a file, by proc_locks(5). */
import { SystemError } from "./errno.ts";
import { readText, status } from "./file.ts";

/** The holder, as in "process 4711 (host-local)", if it can be found. In another pid namespace it has no number here. */
export function describeHolder(path: string): string {
  try {
    const { inode, device } = status(path);
    const [pid] = holders(readText("/proc/locks"), inode, device);
    if (pid === undefined) return "a process that /proc/locks does not show";
    if (pid === "0" || pid === "-1") return "a process of another pid namespace";
    return `process ${pid} (${programOf(pid)})`;
  } catch (error) {
    if (error instanceof SystemError) return `an unknown process (${error.message})`;
    throw error;
  }
}

/**
 * Process ids of the holders in the text of /proc/locks. A line reads
 * "1: FLOCK  ADVISORY  WRITE 4711 fe:00:123 0 EOF"; a process that waits has "->" behind the first number. The device is
 * the file system's. Files of btrfs show another device, so it only decides between several matches.
 */
export function holders(text: string, inode: string, device: string): string[] {
  const [major = "", minor = ""] = device
    .split(":")
    .map((part) => Number(part).toString(16).padStart(2, "0"));
  const found = text.split("\n").flatMap((line) => {
    const [, kind, , , pid, file] = line.trim().split(/\s+/);
    if (kind !== "FLOCK" || pid === undefined || file === undefined) return [];
    const [itsMajor, itsMinor, itsInode] = file.split(":");
    return itsInode === inode ? [{ pid, exact: itsMajor === major && itsMinor === minor }] : [];
  });
  const exact = found.filter((holder) => holder.exact);
  return (exact.length > 0 ? exact : found).map(({ pid }) => pid);
}

function programOf(pid: string): string {
  try {
    return readText(`/proc/${pid}/comm`).trimEnd();
  } catch (error) {
    if (error instanceof SystemError) return "already gone";
    throw error;
  }
}
