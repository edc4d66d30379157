/** ADD: one address of each range set, all of them or none (rules H41, H45–H49, L8). */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { IpConfig, Result } from "../../cni/result.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { searchOrder } from "./allocator.ts";
import { type AllocationConfig, parseAllocation, parsePlace } from "./config.ts";
import { describeContent, leaseContent, type Owner } from "./lease.ts";
import { LeaseFiles, UnnamedLease } from "./lease-files.ts";
import { LeaseStore } from "./lease-store.ts";
import { formatSet, type RangeSet, rangeOf, reservedAs } from "./range.ts";

export async function add(request: Request): Promise<Result> {
  const place = parsePlace(request.config);
  const config = parseAllocation(request);
  const wishes = assignRequested(config);
  const dns =
    config.resolvConf === undefined
      ? {}
      : (await import("./resolv-conf.ts")).readResolvConf(config.resolvConf);
  const files = new LeaseFiles(place);
  files.create();
  const ips = allocateAll(request, config.sets, wishes, files);
  return { interfaces: [], ips, routes: [...config.routes], dns };
}

/** For each set the address asked for. What no set can give is known before anything is touched (rule H45). */
function assignRequested({ sets, requested }: AllocationConfig): (IpAddress | undefined)[] {
  const left = [...requested];
  const wishes = sets.map((set) => {
    const index = left.findIndex((address) => rangeOf(set, address) !== undefined);
    return index < 0 ? undefined : left.splice(index, 1)[0];
  });
  if (left.length === 0) return wishes;
  const places = sets.map((set, index) => `${index}: ${formatSet(set)}`).join("; ");
  throw new CniError(
    code.internal,
    `failed to allocate all requested IPs: ${left.map(formatIp).join(" ")} (each range set gives one address, and only its own; sets ${places})`,
  );
}

function allocateAll(
  request: Request,
  sets: readonly RangeSet[],
  wishes: readonly (IpAddress | undefined)[],
  files: LeaseFiles,
): IpConfig[] {
  const content = leaseContent(request);
  using store = LeaseStore.open(files);
  const taken: IpAddress[] = [];
  try {
    const ips = sets.map((set, index) => {
      try {
        using lease = new UnnamedLease(files.path, content);
        const address = allocate(store, request, set, index, wishes[index], lease);
        taken.push(address);
        return resultOf(set, address);
      } catch (error) {
        throw during(error, `failed to allocate for range ${index}`);
      }
    });
    files.sync();
    for (const [index, address] of taken.entries()) files.writeHint(index, address);
    return ips;
  } catch (error) {
    for (const address of taken) files.remove(formatIp(address));
    throw error;
  }
}

const during = (error: unknown, action: string): CniError =>
  error instanceof CniError
    ? error.during(action)
    : new CniError(code.io, `${action}: ${error instanceof Error ? error.message : error}`);

function allocate(
  store: LeaseStore,
  owner: Owner,
  set: RangeSet,
  index: number,
  wish: IpAddress | undefined,
  lease: UnnamedLease,
): IpAddress {
  const held = store.heldBy(owner).find(({ address }) => rangeOf(set, address) !== undefined);
  if (held !== undefined) {
    throw new CniError(
      code.internal,
      `${formatIp(held.address)} has been allocated to ${owner.containerId}, duplicate allocation is not allowed: ` +
        `interface ${owner.ifname}, lease ${store.files.at(held.name)}; DEL the attachment first`,
    );
  }
  if (wish !== undefined) return allocateRequested(store, set, wish, lease);
  const address = store.allocate(lease, searchOrder(set, store.files.readHint(index)));
  if (address !== undefined) return address;
  throw new CniError(code.internal, `no IP addresses available in range set: ${formatSet(set)}`);
}

function allocateRequested(
  store: LeaseStore,
  set: RangeSet,
  wish: IpAddress,
  lease: UnnamedLease,
): IpAddress {
  const reserved = reservedAs(set, wish);
  if (reserved !== undefined)
    throw new CniError(code.internal, `requested ip ${formatIp(wish)} is ${reserved}`);
  const only = { family: wish.family, from: wish.value, to: wish.value };
  const address = store.allocate(lease, [only]);
  if (address !== undefined) return address;
  const content = store.holderOf(wish)?.content;
  throw new CniError(
    code.internal,
    `requested IP address ${formatIp(wish)} is not available in range set ${formatSet(set)}: ` +
      `it belongs to ${content === undefined ? "a file that is no lease" : describeContent(content)}, ${store.files.at(formatIp(wish))}`,
  );
}

function resultOf(set: RangeSet, address: IpAddress): IpConfig {
  const range = rangeOf(set, address);
  if (range === undefined) throw new Error(`${formatIp(address)} is outside of ${formatSet(set)}`);
  return { address: { address, length: range.subnet.length }, gateway: range.gateway };
}
