/**
 * One datagram after another, to see who they come from. A program of its own, to be run in a network namespace:
 *
 *   bun udp.ts listen PORT [GROUP...]     says "ready", then "SENDER TEXT" for each datagram
 *   bun udp.ts send ADDRESS PORT TEXT [SOURCE]
 */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

const [command, first = "", second = "", ...rest] = process.argv.slice(2);
if (command === "listen") {
  const socket = createSocket({ type: "udp6", reuseAddr: true });
  // IPv4 senders have mapped addresses.
  socket.on("message", (text, { address }) => console.log(`${address.replace(/^::ffff:/, "")} ${text}`));
  const groups = createSocket({ type: "udp4", reuseAddr: true });
  groups.on("message", (text, { address }) => console.log(`${address} ${text}`));
  socket.bind(Number(first), "::", () => {
    if (second === "") console.log("ready");
    else {
      groups.bind(Number(first) + 1, "0.0.0.0", () => {
        groups.addMembership(second);
        console.log("ready");
      });
    }
  });
} else {
  const [text = "", source] = rest;
  const socket = createSocket(isIPv6(first) ? "udp6" : "udp4");
  const send = () => socket.send(text, Number(second), first, () => socket.close());
  if (source === undefined) send();
  else socket.bind(0, source, send);
}
