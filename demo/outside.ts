/**
 * The internet of the scratch host: a namespace behind a link, with a server that answers with the caller's address. It has
 * no route to the containers' network, so only masqueraded traffic gets an answer.
 */
import { outcomeOf } from "../test/support/command.ts";
import { eventually } from "../test/support/eventually.ts";
import type { Stage } from "./stage.ts";

/** Addresses for documentation (RFC 5737), which no real host has. */
export const HOST_ADDRESS = "203.0.113.1";
export const OUTSIDE_ADDRESS = "203.0.113.9";
export const PORT = 7;

/** Creates the namespace "internet", links it, and starts the server, which ends with the scratch host. */
export async function raiseInternet(stage: Stage): Promise<void> {
  stage.step(
    "An internet for the scratch host",
    "It has a route to the host, but not to the containers behind it.",
  );
  await stage.type("ip netns add internet");
  await stage.type("ip link add uplink type veth peer name eth0 netns internet");
  await stage.type(`ip addr add ${HOST_ADDRESS}/24 dev uplink && ip link set uplink up`);
  await stage.type(
    `ip -n internet addr add ${OUTSIDE_ADDRESS}/24 dev eth0 && ip -n internet link set eth0 up`,
  );
  Bun.spawn(["ip", "netns", "exec", "internet", process.execPath, import.meta.path], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  const answer = await eventually("the server outside answers", async () => {
    const { exitCode, stdout } = await outcomeOf(["bash", "-c", `cat </dev/tcp/${OUTSIDE_ADDRESS}/${PORT}`]);
    return exitCode === 0 && stdout;
  });
  stage.verify(`the server there answers the host`, answer, `you are ${HOST_ADDRESS}\n`);
}

if (import.meta.main) {
  Bun.listen({
    hostname: OUTSIDE_ADDRESS,
    port: PORT,
    socket: { open: (socket) => void socket.end(`you are ${socket.remoteAddress}\n`), data: () => {} },
  });
}
