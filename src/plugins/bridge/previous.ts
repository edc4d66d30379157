/**
 * The result of a bridge that is not the first plugin of its list (rule A27, K12). Plugins behind it take the bridge from
 * the first interface, as firewall does, and versions before 0.3.0 have room for the first address of each family: so
 * the bridge's own come first, and what plugins before it reported follows. Pure.
 */
import type { Interface, IpConfig, Result } from "../../cni/result.ts";
import { isLoopback } from "../../net/ip.ts";

/**
 * `own`, and behind it `previous`, whose addresses are given the new places of their interfaces. loopback's part is left
 * out: the reference's bridge does not pass it on, and nothing behind can do with 127.0.0.1.
 */
export function withPrevious(own: Result, previous: Result): Result {
  const interfaces: Interface[] = [...own.interfaces];
  const places = previous.interfaces.map((each, index) =>
    isOfLoopback(previous, each, index) ? undefined : interfaces.push(each) - 1,
  );
  const ips = previous.ips.flatMap((ip): IpConfig[] => {
    if (ip.interface === undefined) return isLoopback(ip.address.address) ? [] : [ip];
    // One that points nowhere is passed on as one that does not say whose it is.
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

/** A `lo` that has no other addresses than those that it always has. One that was given more was meant. */
const isOfLoopback = ({ ips }: Result, { name }: Interface, index: number): boolean =>
  name === "lo" && ips.every((ip) => ip.interface !== index || isLoopback(ip.address.address));

function withPlace({ interface: _, ...ip }: IpConfig, place: number | undefined): IpConfig {
  return place === undefined ? ip : { ...ip, interface: place };
}
