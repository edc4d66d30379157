/** Parses the output of the walk-through's commands, so that each check is about the text on the screen. */

/** Names of the links in a listing of `ip link`, without the counterpart behind the "@". */
export const linksIn = (listing: string): string[] =>
  [...listing.matchAll(/^\d+: ([^:@\s]+)/gm)].map(([, name = ""]) => name);

/** IPv4 addresses in a listing of `ip addr`, as "10.0.0.2/24". */
export const addressesIn = (listing: string): string[] =>
  [...listing.matchAll(/^\s+inet (\S+)/gm)].map(([, address = ""]) => address);

/** The part of a listing of `ip link` or `ip addr` about a link; empty if there is none. */
export const partOf = (ifname: string, listing: string): string =>
  listing.split(/^(?=\d+: )/m).find((part) => linksIn(part)[0] === ifname) ?? "";

/** "UP" once a link carries traffic. */
export const stateIn = (listing: string): string | undefined => /^\d+: .* state (\w+)/m.exec(listing)?.[1];

/** Routes in a listing of `ip route`, sorted, without the marks of those that the kernel made. */
export const routesIn = (listing: string): string[] =>
  linesOf(listing)
    .map((line) => line.replace(/ proto kernel scope link/, ""))
    .sort();

/** Names of the ports of a bridge in a listing of `bridge link`. */
export const portsIn = (listing: string, bridge: string): string[] =>
  linesOf(listing).flatMap((line) => {
    const [, name, master] = /^\d+: (\S+?)(?:@\S+)?: .* master (\S+) /.exec(line) ?? [];
    return name !== undefined && master === bridge ? name : [];
  });

/** Names of the lease files in a listing of their folder. */
export const leasesIn = (listing: string): string[] => linesOf(listing).filter((name) => /^\d+\./.test(name));

/** The lines that are not empty, trimmed. */
export const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
