/** A container gets its network, and one looks at every part of it. */
import { addresses, linkNames, operstate, ports, routes } from "./kernel.ts";
import { type Container, call, FIRST, NETWORK, NOTES, SECOND } from "./scene.ts";
import type { Stage } from "./stage.ts";

export async function attachFirst(stage: Stage, config: string): Promise<void> {
  stage.step("A network configuration, and a container that has no network");
  await stage.type(`cat ${config}`);
  await stage.type(`ip netns add ${FIRST.id}`);
  stage.verify("the container has lo and nothing else", await linkNames(FIRST.id), ["lo"]);

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
  await stage.type(`ip netns exec ${FIRST.id} ip addr`);
  stage.verify(`${FIRST.ifname} has ${FIRST.address}/24`, await addresses(FIRST.ifname, FIRST.id), [
    `${FIRST.address}/24`,
  ]);
  stage.verify(`${FIRST.ifname} is up`, await operstate(FIRST.ifname, FIRST.id), "UP");
  await stage.type(`ip netns exec ${FIRST.id} ip route`);
  stage.verify(
    "the default route, the route of the configuration, the subnet",
    await routes(FIRST.id),
    expectedRoutes(FIRST),
  );

  stage.step("What the host has now");
  await stage.type(`ip -4 addr show ${NETWORK.bridge}`);
  stage.verify("the bridge has the gateway's address", await addresses(NETWORK.bridge), [
    `${NETWORK.gateway}/24`,
  ]);
  await stage.type("bridge link");
  const names = await ports(NETWORK.bridge);
  stage.verify(
    `${NETWORK.bridge} has one port`,
    names.map((name) => name.replace(/^veth[0-9a-f]{8}$/, "veth…")),
    ["veth…"],
  );
  const rules = await stage.type(`iptables-save | grep ${NETWORK.name}`);
  verifyMasquerade(stage, rules.stdout, FIRST);
}

/** With cniVersion 1.0.0, whose result CHECK needs later. */
export async function attachSecond(stage: Stage, config: string, current: string): Promise<void> {
  stage.step(
    "A second container on the same network",
    "Its configuration says cniVersion 1.0.0; the result has another form then.",
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
  stage.verify("the container has it, and the routes", await routes(SECOND.id), expectedRoutes(SECOND));
  stage.verify(`${NETWORK.bridge} has two ports`, (await ports(NETWORK.bridge)).length, 2);
}

const expectedRoutes = ({ ifname, address }: Container) =>
  [
    `default via ${NETWORK.gateway} dev ${ifname}`,
    `1.1.1.1 via ${NETWORK.gateway} dev ${ifname}`,
    `${NETWORK.subnet} dev ${ifname} src ${address}`,
  ].sort();

/** The three rules of one container, whatever their order: accept inside, masquerade outside, and the way there. */
function verifyMasquerade(stage: Stage, rules: string, { id, address }: Container): void {
  const comment = `-m comment --comment "name: \\"${NETWORK.name}\\" id: \\"${id}\\""`;
  const found = rules
    .trim()
    .split("\n")
    .map((rule) => rule.replace(/CNI-[0-9a-f]{24}/, "CNI-…"))
    .sort();
  stage.verify(
    "a chain of its own: accept inside of the subnet, masquerade to outside",
    found,
    [
      `-A CNI-… ! -d 224.0.0.0/4 ${comment} -j MASQUERADE`,
      `-A CNI-… -d ${NETWORK.subnet} ${comment} -j ACCEPT`,
      `-A POSTROUTING -s ${address}/32 ${comment} -j CNI-…`,
    ].map((rule) => rule.replace("-j CNI-…", "-j CNI-…")),
  );
}
