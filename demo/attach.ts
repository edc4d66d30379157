/** ADD for both containers, and a look at every part of their network. */
import { addressesIn, linesOf, linksIn, partOf, portsIn, routesIn, stateIn } from "./listings.ts";
import { type Container, call, FIRST, NETWORK, NOTES, SECOND } from "./scene.ts";
import type { Stage } from "./stage.ts";

export async function attachFirst(stage: Stage, config: string): Promise<void> {
  stage.step("A network configuration, and a container that has no network");
  await stage.type(`cat ${config}`);
  await stage.type(`ip netns add ${FIRST.id}`);
  const empty = await stage.type(`ip netns exec ${FIRST.id} ip link`);
  stage.verify("the container has lo and nothing else", linksIn(empty.stdout), ["lo"]);

  stage.step("ADD");
  const { stdout, milliseconds } = await stage.type(call("ADD", FIRST, config));
  stage.verify(
    `the result, in the form of version 0.2.0 (${milliseconds.toFixed(0)} ms)`,
    JSON.parse(stdout),
    {
      cniVersion: "0.2.0",
      ip4: {
        ip: `${FIRST.address}/24`,
        gateway: NETWORK.gateway,
        routes: [{ dst: "0.0.0.0/0" }, { dst: "1.1.1.1/32", gw: NETWORK.gateway }],
      },
      dns: {},
    },
  );

  stage.step("What the container has now");
  const inside = await stage.type(`ip netns exec ${FIRST.id} ip addr`);
  const own = partOf(FIRST.ifname, inside.stdout);
  stage.verify(`${FIRST.ifname} has ${FIRST.address}/24`, addressesIn(own), [`${FIRST.address}/24`]);
  stage.verify(`${FIRST.ifname} is up`, stateIn(own), "UP");
  const routes = await stage.type(`ip netns exec ${FIRST.id} ip route`);
  stage.verify(
    "the default route, the route of the configuration, the subnet",
    routesIn(routes.stdout),
    expectedRoutes(FIRST),
  );

  stage.step("What the host has now");
  const bridge = await stage.type(`ip -4 addr show ${NETWORK.bridge}`);
  stage.verify("the bridge has the gateway's address", addressesIn(partOf(NETWORK.bridge, bridge.stdout)), [
    `${NETWORK.gateway}/24`,
  ]);
  const links = await stage.type("bridge link");
  stage.verify(
    `${NETWORK.bridge} has one port`,
    portsIn(links.stdout, NETWORK.bridge).map((name) => name.replace(/^veth[0-9a-f]{8}$/, "veth…")),
    ["veth…"],
  );
  const rules = await stage.type(`iptables-save | grep ${NETWORK.name}`);
  const claim = "a chain for the container: accept inside the subnet, masquerade to the outside";
  verifyMasquerade(stage, claim, rules.stdout, FIRST);
}

/** Uses cniVersion 1.0.0, since CHECK needs its result later. */
export async function attachSecond(stage: Stage, config: string, current: string): Promise<void> {
  stage.step(
    "A second container on the same network",
    "Its configuration has cniVersion 1.0.0, so the result has another form.",
  );
  await stage.type(`sed 's/"0.2.0"/"1.0.0"/' ${config} >${current}`);
  await stage.type(`ip netns add ${SECOND.id}`);
  const { stdout } = await stage.type(`${call("ADD", SECOND, current)} | tee ${NOTES}/result.json`);
  const { cniVersion, ips } = JSON.parse(stdout) as {
    cniVersion: string;
    ips: { address: string; interface: number }[];
  };
  stage.verify(
    `the next address: ${SECOND.address}/24`,
    { cniVersion, ips },
    {
      cniVersion: "1.0.0",
      ips: [{ interface: 2, address: `${SECOND.address}/24`, gateway: NETWORK.gateway }],
    },
  );
  const routes = await stage.type(`ip netns exec ${SECOND.id} ip route`);
  stage.verify("the container has it, and the routes", routesIn(routes.stdout), expectedRoutes(SECOND));
  const links = await stage.type("bridge link");
  stage.verify(`${NETWORK.bridge} has two ports`, portsIn(links.stdout, NETWORK.bridge).length, 2);
}

const expectedRoutes = ({ ifname, address }: Container) =>
  [
    `default via ${NETWORK.gateway} dev ${ifname}`,
    `1.1.1.1 via ${NETWORK.gateway} dev ${ifname}`,
    `${NETWORK.subnet} dev ${ifname} src ${address}`,
  ].sort();

/** Verifies the three rules of a container, in any order: accept inside, masquerade outside, and the jump to both. */
export function verifyMasquerade(
  stage: Stage,
  claim: string,
  rules: string,
  { id, address }: Container,
): void {
  const comment = `-m comment --comment "name: \\"${NETWORK.name}\\" id: \\"${id}\\""`;
  // The chain's name is a hash, which is in all three rules.
  const chain = /-j (CNI-[0-9a-f]{24})$/m.exec(rules)?.[1];
  stage.verify(claim, linesOf(rules).sort(), [
    `-A ${chain} ! -d 224.0.0.0/4 ${comment} -j MASQUERADE`,
    `-A ${chain} -d ${NETWORK.subnet} ${comment} -j ACCEPT`,
    `-A POSTROUTING -s ${address}/32 ${comment} -j ${chain}`,
  ]);
}
