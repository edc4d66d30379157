/** Random bytes from the kernel. The engine's own generator takes 0.07 ms to come to life. */
import * as libc from "./libc.ts";

/** So many random bytes, at most 256. @throws SystemError, EAGAIN as long as the kernel has gathered none (early boot). */
export function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  libc.getrandom(bytes);
  return bytes;
}
