/** The commands of the loopback plugin, which handle the container's `lo`, whatever CNI_IFNAME is. */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { emptyResult, type Result } from "../../cni/result.ts";
import { connectInside, openNetns } from "../../links/namespaces.ts";
import { FAMILIES, type Family, formatIp, isLoopback } from "../../net/ip.ts";
import { formatMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { addressOf, dumpAddresses, type InterfaceAddress } from "../../netlink/rtnetlink/address.ts";
import { getLink, interfaceFlag, type Link, linkOf, setLinkUp } from "../../netlink/rtnetlink/link.ts";
import { NoNamespaceError } from "../../sys/netns.ts";

/** Brings `lo` up and reports its addresses; a prevResult passes through unchanged (rule A27). */
export async function add(request: Request): Promise<Result> {
  const { prevResult } = request.config;
  using lo = openLoopback(request.netns);
  lo.connection.call(setLinkUp(lo.link.index, true, "lo"));
  const { foreign, first } = addressesOf(lo.connection, lo.link.index);
  if (foreign !== undefined) {
    throw new CniError(
      code.internal,
      `loopback interface found with non-loopback address "${formatIp(foreign.prefix.address)}": remove it from lo in ${request.netns}`,
    );
  }
  if (prevResult !== undefined) return prevResult;
  return {
    ...emptyResult(),
    interfaces: [{ name: "lo", mac: formatMac(lo.link.mac ?? new Uint8Array(6)), sandbox: request.netns }],
    ips: FAMILIES.flatMap((family) => first[family] ?? []).map(({ prefix }) => ({
      interface: 0,
      address: prefix,
    })),
  };
}

/** An interface's first address of each family, and its first address that is not a loopback address. */
const addressesOf = (connection: Connection, index: number) =>
  connection.fold(
    dumpAddresses(index),
    (): { foreign?: InterfaceAddress; readonly first: { [F in Family]?: InterfaceAddress } } => ({
      first: {},
    }),
    (sum, message) => {
      const address = addressOf(message, index);
      if (address === undefined) return;
      sum.first[address.prefix.address.family] ??= address;
      if (!isLoopback(address.prefix.address)) sum.foreign ??= address;
    },
  );

/** @throws CniError if `lo` is down */
export function check(request: Request): void {
  using lo = openLoopback(request.netns);
  if (((lo.link.flags ?? 0) & interfaceFlag.up) !== 0) return;
  throw new CniError(
    code.internal,
    `loopback interface is down in ${request.netns}: run "ip link set lo up" in it, or ADD the container again`,
  );
}

/** Brings `lo` down; succeeds if the namespace is gone (rule A29). */
export function del(request: Request): void {
  if (request.netns === "") return;
  try {
    using lo = openLoopback(request.netns);
    lo.connection.call(setLinkUp(lo.link.index, false, "lo"));
  } catch (error) {
    if (!(error instanceof CniError && error.cause instanceof NoNamespaceError)) throw error;
  }
}

function openLoopback(path: string): Disposable & { connection: Connection; link: Link & { index: number } } {
  using netns = openNetns(path);
  const connection = connectInside(netns);
  const link = linkOf(connection.get(getLink({ name: "lo" })));
  // Every namespace's lo has index 1.
  return {
    connection,
    link: { ...link, index: link?.index ?? 1 },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}
