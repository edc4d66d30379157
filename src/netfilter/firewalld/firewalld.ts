/**
 * firewalld on the system bus (rules F14 to F17): assigns source addresses to zones. What it is given so lasts until its
 * reload. firewalld's own messages begin with a code, as in "ZONE_CONFLICT: …".
 */
import { BUS_NAME, BusError, SystemBus } from "./bus.ts";

const NAME = "org.fedoraproject.FirewallD1";
const ZONES = `${NAME}.zone`;

export class Firewalld implements Disposable {
  private readonly bus: SystemBus;

  private constructor(bus: SystemBus) {
    this.bus = bus;
  }

  /** Undefined if there is no system bus, or if firewalld does not run. @throws SystemError, BusError */
  static open(): Firewalld | undefined {
    const bus = SystemBus.open();
    if (bus === undefined) return undefined;
    try {
      bus.call({
        destination: BUS_NAME,
        path: "/org/freedesktop/DBus",
        interface: BUS_NAME,
        member: "GetNameOwner",
        texts: [NAME],
      });
      return new Firewalld(bus);
    } catch (error) {
      bus[Symbol.dispose]();
      if (error instanceof BusError && error.errorName.endsWith(".NameHasNoOwner")) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.bus[Symbol.dispose]();
  }

  /** Assigns a source, such as 10.1.2.3/32; false if the zone has it already. @throws BusError */
  addSource(zone: string, source: string): boolean {
    return this.unless("ZONE_ALREADY_SET", () => this.call("addSource", zone, source));
  }

  /** Takes a source from a zone; false if the zone does not have it, or does not exist. @throws BusError */
  removeSource(zone: string, source: string): boolean {
    return this.unless("UNKNOWN_SOURCE|ZONE_CONFLICT|INVALID_ZONE", () =>
      this.call("removeSource", zone, source),
    );
  }

  /** Whether the zone has the source. @throws BusError */
  hasSource(zone: string, source: string): boolean {
    return this.call("querySource", zone, source) === true;
  }

  /** The zone of a source; "" for none. @throws BusError */
  zoneOf(source: string): string {
    return String(this.call("getZoneOfSource", source) ?? "");
  }

  /** The sources of a zone; none if it does not exist. @throws BusError */
  sourcesOf(zone: string): readonly string[] {
    let sources: unknown;
    this.unless("INVALID_ZONE", () => {
      sources = this.call("getSources", zone);
    });
    return Array.isArray(sources) ? sources : [];
  }

  private call(member: string, ...texts: string[]) {
    return this.bus.call({
      destination: NAME,
      path: "/org/fedoraproject/FirewallD1",
      interface: ZONES,
      member,
      texts,
    });
  }

  /** Whether a step succeeded; false for an error with one of these codes. */
  private unless(codes: string, step: () => unknown): boolean {
    try {
      step();
      return true;
    } catch (error) {
      if (error instanceof BusError && codes.split("|").some((code) => error.message.startsWith(code)))
        return false;
      throw error;
    }
  }
}

/** Whether firewalld runs, by its name on the system bus (F2). A bus that does not answer counts as none. */
export function isRunning(): boolean {
  try {
    using firewalld = Firewalld.open();
    return firewalld !== undefined;
  } catch {
    return false;
  }
}
