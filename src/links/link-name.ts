/** Rules of the kernel for the name of an interface. */
import { isIdentifier } from "../cni/identifier.ts";

/** Bytes of a name without the final NUL (IFNAMSIZ of uapi linux/if.h less one). */
const MAX_BYTES = 15;

/** Entries of net.ipv4.conf that are not interfaces. */
const SETTINGS = ["all", "default"];

/**
 * Why the kernel refuses this name for an interface, as the end of a sentence; undefined if it accepts it. The rules are
 * those of dev_valid_name() and __dev_alloc_name() in net/core/dev.c and of inetdev_init() in net/ipv4/devinet.c.
 */
export function linkNameProblem(name: string): string | undefined {
  if (SETTINGS.includes(name)) return "the kernel has settings of that name";
  // The common case. Each character of an identifier is one byte.
  if (name.length <= MAX_BYTES && isIdentifier(name)) return undefined;
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > MAX_BYTES) return `it must have 1 to ${MAX_BYTES} bytes`;
  if (name === "." || name === "..") return "it stands for a directory";
  if (name.includes("%")) return '"%" is a pattern to the kernel';
  if (/[/:\0]/.test(name)) return '"/", ":" and NUL are not allowed';
  // The kernel looks at single bytes and takes 0xa0 for a space, even as a part of "à".
  if (bytes.some((byte) => byte === 0x20 || byte === 0xa0 || (byte >= 0x09 && byte <= 0x0d)))
    return "it has a byte that the kernel takes for white space (0x09 to 0x0d, 0x20, 0xa0)";
  return undefined;
}
