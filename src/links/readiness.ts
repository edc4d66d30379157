/** Waits for states of links and addresses by the kernel's events, with a deadline, never by sleeping (rules B31, G24). */

import { now } from "#engine";
import { CniError, code, toCniError } from "../cni/error.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import type { Connection } from "../netlink/connection.ts";
import { addressFlag, addressOf, dumpAddresses, IPV6_ADDRESS_EVENTS } from "../netlink/rtnetlink/address.ts";
import { decodeBridgePort } from "../netlink/rtnetlink/bridge-port.ts";
import {
  getLink,
  interfaceFlag,
  LINK_EVENTS,
  type Link,
  linkOf,
  OPERSTATES,
} from "../netlink/rtnetlink/link.ts";
import { NetlinkSocket, protocol } from "../netlink/socket.ts";
import { timeLeft } from "../sys/deadline.ts";
import { failedWith } from "../sys/errno.ts";
import { LimitedList } from "./limited-list.ts";
import type { PresentLink } from "./link.ts";
import { type Inside, runInside } from "./namespaces.ts";

/** Milliseconds. The kernel needs one, or some hundred on a machine under heavy load. */
const DEADLINE = 10_000;

/** A source of events. Their content is not read: after each event the state is read again. */
export type Events = Pick<NetlinkSocket, "receiveWithin"> & Disposable;

/**
 * Repeats `probe` at each event until it returns a value. Returns undefined when `most` milliseconds or the time of the
 * call are over. @throws CniError and the errors of `probe`
 */
export function awaitState<T>(
  subscribe: () => Events,
  probe: () => T | undefined,
  most = DEADLINE,
): T | undefined {
  const early = probe();
  if (early !== undefined) return early;
  using events = listening(subscribe);
  const time = timeLeft(most);
  const deadline = now() + time;
  for (let left = time; left > 0; left = deadline - now()) {
    // Probed after subscribing, so that no event is missed.
    const value = probe();
    if (value !== undefined) return value;
    listening(() => {
      try {
        return events.receiveWithin(left);
      } catch (error) {
        // ENOBUFS: the kernel dropped events, but the next probe reads the state itself.
        if (!failedWith(error, "ENOBUFS")) throw error;
        return undefined;
      }
    });
  }
  return undefined;
}

function listening<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw toCniError(error).during("cannot listen to the kernel's events");
  }
}

/** Events of links, for `awaitState`. */
export const linkEvents = (): Events => new NetlinkSocket(protocol.route, LINK_EVENTS);

const OPERSTATE_UP = 6;

/** BR_STATE_* of uapi linux/if_bridge.h: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking. */
export const portState = ({ portData }: Link): number =>
  decodeBridgePort(portData ?? new Uint8Array()).state ?? 0;

/**
 * Waits until the port has a carrier and the bridge has enabled it. Returns the link as it is then.
 * @throws CniError with the state that keeps the port down.
 */
export function awaitPortUp(host: Connection, { index, name }: PresentLink): Link {
  let seen: Link = {};
  const up = awaitState(linkEvents, () => {
    seen = linkOf(host.get(getLink({ index }))) ?? {};
    if (seen.index !== undefined && seen.master === undefined) {
      // It was created as a port of the bridge.
      throw new CniError(
        code.tryAgainLater,
        `interface ${JSON.stringify(name)} is not a port of the bridge any more: another program removed the bridge or the port; try again`,
      );
    }
    return seen.operstate === OPERSTATE_UP && portState(seen) !== 0 ? seen : undefined;
  });
  if (up !== undefined) return up;
  const operstate = OPERSTATES[seen.operstate ?? 0] ?? seen.operstate;
  const carrier = ((seen.flags ?? 0) & interfaceFlag.lowerUp) !== 0 ? "there" : "missing";
  throw new CniError(
    code.internal,
    `bridge port in error state: ${operstate} (port ${JSON.stringify(name)}, carrier ${carrier}, master ${seen.master ?? "none"}, waited at most ${DEADLINE / 1000} s); is the container's end or the bridge being set down by another program?`,
  );
}

/** Waits until no address of the container's interface is tentative. */
export function awaitAddressesSettled({ container, netns }: Inside, link: PresentLink): void {
  const action = `failed to settle addresses for ${JSON.stringify(link.name)}:`;
  let pending = "";
  const subscribe = () => runInside(netns, () => new NetlinkSocket(protocol.route, IPV6_ADDRESS_EVENTS));
  const settled = awaitState(subscribe, () => {
    const { failed, tentative } = unsettled(container, link);
    if (failed !== undefined) {
      throw new CniError(
        code.internal,
        `${action} ${formatPrefix(failed)} is in use by another host of the network (duplicate address detection)`,
      );
    }
    pending = tentative.text;
    return tentative.count === 0 ? true : undefined;
  });
  if (settled !== undefined) return;
  const message = `${action} ${pending} still tentative after at most ${DEADLINE / 1000} s`;
  throw new CniError(code.tryAgainLater, message);
}

/** Addresses that are tentative, and the first that is a duplicate. A container may have any number of them. */
const unsettled = (container: Connection, { index }: PresentLink) =>
  container.fold(
    dumpAddresses(index),
    (): { failed?: Prefix; readonly tentative: LimitedList } => ({ tentative: new LimitedList() }),
    (sum, message) => {
      const { prefix, flags = 0 } = addressOf(message, index) ?? {};
      if (prefix === undefined) return;
      if ((flags & addressFlag.dadFailed) !== 0) sum.failed ??= prefix;
      if ((flags & addressFlag.tentative) !== 0) sum.tentative.add(formatPrefix(prefix));
    },
  );
