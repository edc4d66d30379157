/** Assigns an attachment's addresses to a zone of firewalld (rules F14, F15, F35). */
import { CniError, code, toCniError } from "../../cni/error.ts";
import { bits, type IpAddress } from "../../net/ip.ts";
import { parsePrefix } from "../../net/prefix.ts";
import { requireFirewalld, sourceOf } from "./backend.ts";

/** Called with each address before it is assigned: its undo. */
type BeforeAssigning = (undo: () => Promise<void>) => void;

/** @throws CniError that names the zone which has the address, or that the zone does not exist */
export async function assign(
  zone: string,
  addresses: readonly IpAddress[],
  before: BeforeAssigning,
): Promise<void> {
  using firewalld = await requireFirewalld();
  for (const address of addresses) {
    const source = sourceOf(address);
    // A source that was there before, as after an earlier ADD, is not taken away by an undo.
    if (firewalld.hasSource(zone, source)) continue;
    before(() => remove(zone, [address]));
    try {
      firewalld.addSource(zone, source);
    } catch (error) {
      const { message } = toCniError(error);
      const other = message.startsWith("ZONE_CONFLICT") ? firewalld.zoneOf(source) : "";
      const remedy =
        other === ""
          ? 'name another zone in "firewalldZone", or create this one'
          : `it is in zone ${JSON.stringify(other)}; remove it there with firewall-cmd --zone=${other} --remove-source=${source}`;
      throw new CniError(
        code.internal,
        `failed to add the address ${source} to ${zone} zone: ${message}; ${remedy}`,
      );
    }
  }
}

/** Takes stale addresses out of the zone, if firewalld runs. Goes on past errors of single addresses. @throws CniError */
export async function collectSources(zone: string, isStale: (address: IpAddress) => boolean): Promise<void> {
  const { Firewalld, isRunning } = await import("../firewalld/firewalld.ts");
  if (!isRunning()) return;
  const stale: IpAddress[] = [];
  {
    using firewalld = Firewalld.open();
    for (const source of firewalld?.sourcesOf(zone) ?? []) {
      const prefix = parsePrefix(source);
      const isAddress = prefix?.length === bits(prefix?.address.family ?? 4);
      if (prefix !== undefined && isAddress && isStale(prefix.address)) stale.push(prefix.address);
    }
  }
  await remove(zone, stale);
}

/** Takes addresses out of the zone. It succeeds if they are not in it, or if firewalld does not run. @throws CniError */
export async function remove(zone: string, addresses: readonly IpAddress[]): Promise<void> {
  if (addresses.length === 0) return;
  const { Firewalld } = await import("../firewalld/firewalld.ts");
  try {
    using firewalld = Firewalld.open();
    for (const address of addresses) firewalld?.removeSource(zone, sourceOf(address));
  } catch (error) {
    throw toCniError(error).during(`cannot remove addresses from zone ${JSON.stringify(zone)} of firewalld`);
  }
}
