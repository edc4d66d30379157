/** Waiting on the kernel's events, with a deadline, never by sleeping (rules B31, G24; pains of "lower-layer-down"). */
import { CniError, code, toCniError } from "../../cni/error.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import {
  addressFlag,
  addressOf,
  dumpAddresses,
  IPV6_ADDRESS_EVENTS,
} from "../../netlink/rtnetlink/address.ts";
import { decodeBridgePort } from "../../netlink/rtnetlink/bridge-port.ts";
import { getLink, LINK_EVENTS, type Link, linkOf, OPERSTATES } from "../../netlink/rtnetlink/link.ts";
import { NetlinkSocket, protocol } from "../../netlink/socket.ts";
import { now } from "../../sys/clock.ts";
import { timeLeft } from "../../sys/deadline.ts";
import { failedWith } from "../../sys/errno.ts";
import type { Netns } from "../../sys/netns.ts";
import { runInside } from "../namespaces.ts";
import type { PresentLink } from "./bridge-link.ts";
import { Some } from "./some.ts";

/** The kernel needs a millisecond; on a machine under heavy load some hundred. */
const DEADLINE = 10_000;

/** What brings events: each that comes is a reason to look again. */
export type Events = Pick<NetlinkSocket, "receiveWithin"> & Disposable;

/**
 * Repeats `probe` at each event of a socket until it gives a value; undefined when `most` milliseconds have passed, or
 * the call's. @throws CniError; whatever `probe` throws
 */
export function awaitState<T>(
  subscribe: () => Events,
  probe: () => T | undefined,
  most = DEADLINE,
): T | undefined {
  const early = probe();
  if (early !== undefined) return early;
  using events = listen(subscribe);
  const time = timeLeft(most);
  const deadline = now() + time;
  for (let left = time; left > 0; left = deadline - now()) {
    // Probed after subscribing, so that no event can fall between.
    const value = probe();
    if (value !== undefined) return value;
    try {
      events.receiveWithin(left);
    } catch (error) {
      // Events were lost; the next probe sees the state all the same.
      if (!failedWith(error, "ENOBUFS")) throw cannotListen(error);
    }
  }
  return undefined;
}

function listen(subscribe: () => Events): Events {
  try {
    return subscribe();
  } catch (error) {
    throw cannotListen(error);
  }
}

const cannotListen = (error: unknown): CniError =>
  toCniError(error).during("cannot listen to the kernel's events");

const OPERSTATE_UP = 6;

/** BR_STATE_* of uapi linux/if_bridge.h: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking. */
export const portState = ({ portData }: Link): number =>
  decodeBridgePort(portData ?? new Uint8Array()).state ?? 0;

/**
 * Waits until the port has a carrier and takes part in the bridge; gives its state.
 * @throws CniError naming what keeps it down.
 */
export function awaitPortUp(host: Connection, port: PresentLink): Link {
  let seen: Link | undefined;
  const subscribe = () => new NetlinkSocket(protocol.route, LINK_EVENTS);
  const up = awaitState(subscribe, () => {
    seen = linkOf(host.ask(getLink({ index: port.index })));
    // It was created as a port of the bridge.
    if (seen !== undefined && seen.master === undefined) throw bridgeGone(port);
    return seen?.operstate === OPERSTATE_UP && portState(seen) !== 0 ? seen : undefined;
  });
  if (up !== undefined) return up;
  const operstate = OPERSTATES[seen?.operstate ?? 0] ?? seen?.operstate;
  const carrier = ((seen?.flags ?? 0) & 0x10000) !== 0 ? "there" : "missing";
  throw new CniError(
    code.internal,
    `bridge port in error state: ${operstate} (port ${JSON.stringify(port.name)}, carrier ${carrier}, master ${seen?.master ?? "none"}, waited at most ${DEADLINE / 1000} s); is the container's end or the bridge being set down by another program?`,
  );
}

const bridgeGone = ({ name }: PresentLink): CniError =>
  new CniError(
    code.tryAgainLater,
    `interface ${JSON.stringify(name)} is not a port of the bridge any more: another program removed the bridge or the port; try again`,
  );

/** Waits until no address of the container's interface is tentative. */
export function awaitAddressesSettled(container: Connection, netns: Netns, link: PresentLink): void {
  let pending = "";
  const subscribe = () => runInside(netns, () => new NetlinkSocket(protocol.route, IPV6_ADDRESS_EVENTS));
  const settled = awaitState(subscribe, () => {
    const { failed, tentative } = unsettled(container, link);
    if (failed !== undefined) {
      throw new CniError(
        code.internal,
        `failed to settle addresses for ${JSON.stringify(link.name)}: ${formatPrefix(failed)} is in use by another host of the network (duplicate address detection)`,
      );
    }
    pending = tentative.text;
    return tentative.count === 0 ? true : undefined;
  });
  if (settled === undefined) {
    throw new CniError(
      code.tryAgainLater,
      `failed to settle addresses for ${JSON.stringify(link.name)}: ${pending} still tentative after at most ${DEADLINE / 1000} s`,
    );
  }
}

/** Addresses that are not in use yet, or never will be. The container decides how many there are. */
const unsettled = (container: Connection, { index }: PresentLink) =>
  container.fold(
    dumpAddresses(index),
    (): { failed?: Prefix; readonly tentative: Some } => ({ tentative: new Some() }),
    (sum, message) => {
      const { prefix, flags = 0 } = addressOf(message, index) ?? {};
      if (prefix === undefined) return;
      if ((flags & addressFlag.dadFailed) !== 0) sum.failed ??= prefix;
      if ((flags & addressFlag.tentative) !== 0) sum.tentative.add(formatPrefix(prefix));
    },
  );
