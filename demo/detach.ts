/** The containers give everything back, and the host is as it was. */
import { type HostState, hostState } from "../test/support/host-state.ts";
import { keptForwarding, keptIptablesChains, keptLeaseFolder } from "../test/support/leftovers.ts";
import { stateDifference } from "../test/support/state-difference.ts";
import { linkNames, ports } from "./kernel.ts";
import { call, FIRST, NETWORK, SECOND } from "./scene.ts";
import type { Stage } from "./stage.ts";

const LEASES = `/var/lib/cni/networks/${NETWORK.name}`;

export async function detachBoth(stage: Stage, config: string, current: string): Promise<void> {
  stage.step("DEL");
  const { stdout } = await stage.type(call("DEL", FIRST, config));
  stage.verify("it prints nothing", stdout, "");
  stage.verify("the interface is gone", await linkNames(FIRST.id), ["lo"]);
  stage.verify("its other end is gone: one port is left", (await ports(NETWORK.bridge)).length, 1);
  const rules = await stage.type(`iptables-save | grep ${NETWORK.name}`);
  stage.verify("only the rules of the second container are left", rules.stdout.includes(FIRST.id), false);
  const leases = await stage.type(`ls ${LEASES}`);
  stage.verify(
    `${FIRST.address} is free`,
    leases.stdout.split("\n").filter((name) => /^\d/.test(name)),
    [SECOND.address],
  );

  stage.step("DEL again", "A runtime may repeat a DEL as often as it likes.");
  const again = await stage.type(call("DEL", FIRST, config));
  stage.verify("it succeeds", again.stdout, "");
  await stage.type(call("DEL", SECOND, current));
}

/** `before` is the state of the host before the first container came. */
export async function expectNothingLeft(stage: Stage, before: HostState): Promise<void> {
  stage.step(
    "Nothing is left",
    "By design the bridge, forwarding, and the notes of host-local stay. The bridge goes by hand.",
  );
  await stage.type(`ip link delete ${NETWORK.bridge}`);
  await stage.type(`ip netns delete ${FIRST.id} && ip netns delete ${SECOND.id}`);
  const rules = await stage.type(`iptables-save | grep -c ${NETWORK.name} || true`);
  stage.verify("no rule of the network", rules.stdout, "0\n");
  const leases = await stage.type(`ls ${LEASES}`);
  stage.verify(
    "no lease",
    leases.stdout.split("\n").filter((name) => /^\d/.test(name)),
    [],
  );
  const kept = [
    ...keptForwarding,
    ...keptIptablesChains,
    ...keptLeaseFolder(NETWORK.name),
    /^file \/run\/walk-through/,
  ];
  stage.verify(
    "links, addresses, routes, firewall rules and files are as they were before the first ADD",
    stateDifference(before, await hostState(), kept),
    [],
  );
}
