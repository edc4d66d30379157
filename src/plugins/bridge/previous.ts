/**
 * Merges prevResult into the result of a bridge that is not the first plugin of its list (rule A27, K12). The bridge's own
 * entries come first: later plugins such as firewall treat the first interface as the bridge, and versions before 0.3.0
 * report only the first address of each family. Pure.
 */
import type { Interface, IpConfig, Result } from "../../cni/result.ts";
import { isLoopback } from "../../net/ip.ts";

/**
 * Appends `previous` to `own`, with the new indices of its interfaces. The loopback plugin's part is left out: the
 * reference's bridge does not pass it on, and no later plugin can use 127.0.0.1.
 */
export function withPrevious(own: Result, previous: Result): Result {
  const interfaces: Interface[] = [...own.interfaces];
  const places = previous.interfaces.map((each, index) =>
    isOfLoopback(previous, each, index) ? undefined : interfaces.push(each) - 1,
  );
  const ips = previous.ips.flatMap((ip): IpConfig[] => {
    if (ip.interface === undefined) return isLoopback(ip.address.address) ? [] : [ip];
    // An address with an invalid index is passed on without an interface.
    if (ip.interface >= places.length) return [withPlace(ip, undefined)];
    const place = places[ip.interface];
    return place === undefined ? [] : [withPlace(ip, place)];
  });
  return {
    interfaces,
    ips: [...own.ips, ...ips],
    routes: [...own.routes, ...previous.routes],
    dns: Object.keys(own.dns).length > 0 ? own.dns : previous.dns,
  };
}

/** Whether the interface is a `lo` with only loopback addresses. With others, it was configured on purpose. */
const isOfLoopback = ({ ips }: Result, { name }: Interface, index: number): boolean =>
  name === "lo" && ips.every((ip) => ip.interface !== index || isLoopback(ip.address.address));

function withPlace({ interface: _, ...ip }: IpConfig, place: number | undefined): IpConfig {
  return place === undefined ? ip : { ...ip, interface: place };
}
