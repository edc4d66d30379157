/** Checks the bytes of this process's variables, which the engine shows only as text. */
import { readFile } from "./file.ts";

/** Whether the initial value of a variable is UTF-8; true for one that is not set. @throws SystemError */
export function isUtf8(name: string): boolean {
  const entries = readFile("/proc/self/environ");
  const begin = new TextEncoder().encode(`${name}=`);
  for (let at = 0, end: number; at < entries.length; at = end + 1) {
    end = entries.indexOf(0, at);
    if (end < 0) end = entries.length;
    const entry = entries.subarray(at, end);
    if (begin.every((byte, index) => entry[index] === byte)) return isText(entry.subarray(begin.length));
  }
  return true;
}

function isText(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
