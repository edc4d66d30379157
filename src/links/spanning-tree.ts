/** Waits for a port of a bridge with the spanning tree protocol, which passes no frames at first (rule K20). */
import { decodeBridge } from "../netlink/rtnetlink/bridge.ts";
import { FORWARDING } from "../netlink/rtnetlink/bridge-port.ts";
import { getLink, linkOf } from "../netlink/rtnetlink/link.ts";
import { timeLeft } from "../sys/deadline.ts";
import type { Change, PresentLink } from "./link.ts";
import { awaitState, linkEvents, portState } from "./readiness.ts";

/** Milliseconds of the call that are reserved for the steps after the wait. */
const RESERVE = 3000;

/** IFLA_BR_FORWARD_DELAY counts hundredths of a second. */
const UNIT = 10;

const LEARNING = 2;
const STATES = ["disabled", "listening", "learning", "forwarding", "blocking"];

/**
 * Waits until the port passes frames, if the time of the call allows it. If the port does not pass frames by then, this is
 * only logged: the container has a network as soon as the port does.
 */
export function awaitForwarding({ host, log }: Change, bridge: PresentLink, port: PresentLink): void {
  const look = () => portState(linkOf(host.get(getLink({ index: port.index }))) ?? port);
  const delay = (decodeBridge(bridge.data ?? new Uint8Array()).forwardDelay ?? 0) * UNIT;
  let state = look();
  // The port is listening for one delay, then learning for another.
  const needed = state === LEARNING ? delay : 2 * delay;
  if (needed + RESERVE <= timeLeft()) {
    const isForwarding = () => {
      state = look();
      return state === FORWARDING || undefined;
    };
    if (awaitState(linkEvents, isForwarding, timeLeft() - RESERVE)) return;
  }
  log(
    `port ${JSON.stringify(port.name)} passes no frames yet: bridge ${JSON.stringify(bridge.name)} runs the spanning tree ` +
      `protocol and the port is ${STATES[state]}, which takes up to ${needed / 1000} s; the container has no network until ` +
      `then. Where no other bridge is connected to it, turn the protocol off: ip link set ${bridge.name} type bridge ` +
      `stp_state 0; else shorten it: ip link set ${bridge.name} type bridge forward_delay 200`,
  );
}
