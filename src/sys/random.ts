/** Random bytes from the kernel. The engine's own generator takes 0.07 ms to come to life. */
import * as libc from "./libc.ts";

/** So many random bytes, at most 256. @throws SystemError, EAGAIN as long as the kernel has gathered none (early boot). */
export function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  libc.getrandom(bytes);
  return bytes;
}

/** A random whole number from 0 on and below `limit`, which is small beside 2^32. @throws SystemError */
export function randomBelow(limit: number): number {
  let value = 0;
  const bytes = randomBytes(4);
  for (let index = 0; index < bytes.length; index++) value = value * 256 + (bytes[index] ?? 0);
  return value % limit;
}
