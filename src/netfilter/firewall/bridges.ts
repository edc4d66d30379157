/** What the firewall needs to know of the host's bridges. It is read when it is first needed. */
import type { IpAddress } from "../../net/ip.ts";
import { contains, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import { connect, protocol } from "../../netlink/index.ts";
import { addressOf, dumpAddresses } from "../../netlink/rtnetlink/address.ts";
import { getLink, linkOf } from "../../netlink/rtnetlink/link.ts";
import type { Bridges } from "./plan.ts";

export class HostBridges implements Bridges, Disposable {
  private connection: Connection | undefined;
  private readonly indexes = new Map<string, number | undefined>();
  private readonly prefixes = new Map<string, readonly Prefix[]>();

  exists(bridge: string): boolean {
    return this.indexOf(bridge) !== undefined;
  }

  mayHold(bridge: string, address: IpAddress): boolean {
    const all = this.prefixesOf(bridge).filter((prefix) => prefix.address.family === address.family);
    // A bridge that is not a gateway has no address that would show its network.
    return all.length === 0 || all.some((prefix) => contains(prefix, address));
  }

  private indexOf(bridge: string): number | undefined {
    if (!this.indexes.has(bridge)) {
      const [outcome] = this.route().getAll([getLink({ name: bridge })]);
      // ERANGE: the name is too long for an interface.
      if (outcome?.error !== undefined && !refusedWith(outcome.error, "ENODEV", "ERANGE"))
        throw outcome.error;
      this.indexes.set(bridge, linkOf(outcome?.replies ?? [])?.index);
    }
    return this.indexes.get(bridge);
  }

  private prefixesOf(bridge: string): readonly Prefix[] {
    const known = this.prefixes.get(bridge);
    if (known !== undefined) return known;
    const index = this.indexOf(bridge);
    const found =
      index === undefined
        ? []
        : this.route().dump(dumpAddresses(index), (message) => {
            const { prefix, scope } = addressOf(message, index) ?? {};
            // RT_SCOPE_LINK of uapi linux/rtnetlink.h: a link-local address shows no network of containers.
            return scope === 253 ? undefined : prefix;
          });
    this.prefixes.set(bridge, found);
    return found;
  }

  private route(): Connection {
    this.connection ??= connect(protocol.route);
    return this.connection;
  }

  [Symbol.dispose](): void {
    this.connection?.[Symbol.dispose]();
  }
}
