/** What the kernel takes for an interface's name. */
import { isIdentifier } from "../cni/identifier.ts";

/** Bytes of a name without the final NUL (IFNAMSIZ of uapi linux/if.h less one). */
const MAX_BYTES = 15;

/** Names that stand for all interfaces among the settings of net.ipv4.conf: an interface can't have them. */
const SETTINGS = ["all", "default"];

/**
 * Why the kernel makes no interface of this name, as the end of a sentence; undefined when it does. The rules of
 * dev_valid_name() and __dev_alloc_name() of net/core/dev.c and of inetdev_init() of net/ipv4/devinet.c.
 */
export function linkNameProblem(name: string): string | undefined {
  if (SETTINGS.includes(name)) return "the kernel has settings of that name";
  // Most names need no more; each of these characters is one byte.
  if (name.length <= MAX_BYTES && isIdentifier(name)) return undefined;
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > MAX_BYTES) return `it must have 1 to ${MAX_BYTES} bytes`;
  if (name === "." || name === "..") return "it stands for a directory";
  if (name.includes("%")) return '"%" is a pattern to the kernel';
  if (/[/:\0]/.test(name)) return '"/", ":" and NUL are not allowed';
  // The kernel looks at single bytes, and takes 0xa0 for a space: as part of "à" as well.
  if (bytes.some((byte) => byte === 0x20 || byte === 0xa0 || (byte >= 0x09 && byte <= 0x0d)))
    return "it has a byte that the kernel takes for white space (0x09 to 0x0d, 0x20, 0xa0)";
  return undefined;
}
