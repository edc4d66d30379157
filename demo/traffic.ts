/** Sends traffic to the gateway, to the other container, and to the outside with the host's address. */
import { HOST_ADDRESS, OUTSIDE_ADDRESS, PORT } from "./outside.ts";
import { type Container, FIRST, NETWORK, SECOND } from "./scene.ts";
import type { Stage } from "./stage.ts";

export async function sendTraffic(stage: Stage): Promise<void> {
  stage.step("Traffic");
  await ping(stage, "container to gateway", FIRST, NETWORK.gateway);
  await ping(stage, "container to container", FIRST, SECOND.address);
  await ping(stage, "container to the internet", FIRST, OUTSIDE_ADDRESS);

  stage.step("Masquerade", `The server outside answers with the caller's address.`);
  await stage.type(`ip -n internet route`);
  const { stdout } = await stage.type(
    `ip netns exec ${FIRST.id} bash -c 'cat </dev/tcp/${OUTSIDE_ADDRESS}/${PORT}'`,
  );
  stage.verify(
    `it sees the host, ${HOST_ADDRESS}, and not ${FIRST.address}`,
    stdout,
    `you are ${HOST_ADDRESS}\n`,
  );
}

async function ping(stage: Stage, claim: string, from: Container, to: string): Promise<void> {
  const { stdout } = await stage.type(
    `ip netns exec ${from.id} ping -c 1 -W 30 ${to} | grep -E 'bytes from|received'`,
  );
  stage.verify(claim, /(\d+) received/.exec(stdout)?.[1], "1");
}
