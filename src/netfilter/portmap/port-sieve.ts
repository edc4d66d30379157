/** Finds the few rules about a call's ports among those of all containers, by their bytes. */
import { indexOfBytes } from "#engine";
import type { Family } from "../../net/ip.ts";
import { containsAny, type Part, partBytes, type RuleSieve } from "../nftables/found-rules.ts";
import { mappingsOf, type Published } from "./published.ts";

/** Finds the places of `mark` in the bytes, until one of them is about a wanted port. */
function someAt(bytes: Uint8Array, mark: Uint8Array, isWanted: (at: number) => boolean): boolean {
  for (let at = indexOfBytes(bytes, mark); at >= 0; at = indexOfBytes(bytes, mark, at + mark.length))
    if (isWanted(at)) return true;
  return false;
}

/** Whether a port of two bytes in network order that stands behind these bytes is one of the ports. */
export const hasPort = (
  bytes: Uint8Array,
  behind: Uint8Array,
  ports: { has(port: number): boolean },
): boolean =>
  someAt(bytes, behind, (at) => {
    const place = at + behind.length;
    return ports.has(((bytes[place] ?? 0) << 8) | (bytes[place + 1] ?? 0));
  });

/** Selects the rules that contain one of the parts or are about a port; the same decides about a datagram of rules. */
function sieve(parts: readonly Part[], hasPort: (bytes: Uint8Array) => boolean): () => RuleSieve {
  const own = parts.map(partBytes);
  const mayBe = (bytes: Uint8Array): boolean => containsAny(bytes, own) || hasPort(bytes);
  return () => ({ datagram: mayBe, message: mayBe });
}

const hostPorts = (published: Published, family: Family): ReadonlySet<number> =>
  new Set(mappingsOf(published, family).map(({ hostPort }) => hostPort));

/** Begins two bytes that a rule of nftables compares or loads, such as a port in network order: NFTA_DATA_VALUE. */
const TWO_BYTES = Uint8Array.of(6, 0, 1, 0);

/** Of the rules of nftables, those with one of the parts or of the host's ports. */
export function mappingsAmong(parts: readonly Part[], published: Published, family: Family): () => RuleSieve {
  const ports = hostPorts(published, family);
  return sieve(parts, (bytes) => hasPort(bytes, TWO_BYTES, ports));
}

const MULTIPORT = partBytes("multiport\0");
/** From that name to the attribute with the match's data, struct xt_multiport_v1, and in that to the number of ports. */
const INFO_AT = 20;
const COUNT_AT = INFO_AT + 5;
/** NFTA_MATCH_INFO. */
const MATCH_INFO = 3;

/** Of the rules of iptables that lead to containers, those that lead to this chain or have one of the host's ports. */
export function entriesAmong(chain: string, published: Published, family: Family): () => RuleSieve {
  const ports = hostPorts(published, family);
  const isOfPorts = (bytes: Uint8Array): boolean =>
    someAt(bytes, MULTIPORT, (at) => {
      // Another order of attributes than all known kernels have.
      if (bytes[at + INFO_AT + 2] !== MATCH_INFO) return true;
      const first = at + COUNT_AT + 1;
      const end = first + 2 * (bytes[at + COUNT_AT] ?? 0);
      for (let port = first; port < end; port += 2)
        if (ports.has((bytes[port] ?? 0) | ((bytes[port + 1] ?? 0) << 8))) return true;
      return false;
    });
  // A rule that another program wrote may have a port alone.
  return sieve([chain], (bytes) => isOfPorts(bytes) || hasPort(bytes, TWO_BYTES, ports));
}
