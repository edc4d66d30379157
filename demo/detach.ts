/** DEL for both containers, after which the host is as before. */
import { type HostState, hostState } from "../test/support/host-state.ts";
import { keptForwarding, keptIptablesChains, keptLeaseFolder } from "../test/support/leftovers.ts";
import { stateDifference } from "../test/support/state-difference.ts";
import { verifyMasquerade } from "./attach.ts";
import { leasesIn, linksIn, portsIn } from "./listings.ts";
import { call, FIRST, NETWORK, SECOND } from "./scene.ts";
import type { Stage } from "./stage.ts";

const LEASES = `/var/lib/cni/networks/${NETWORK.name}`;

export async function detachBoth(stage: Stage, config: string, current: string): Promise<void> {
  stage.step("DEL");
  const { stdout } = await stage.type(call("DEL", FIRST, config));
  stage.verify("it prints nothing", stdout, "");
  const inside = await stage.type(`ip netns exec ${FIRST.id} ip link`);
  stage.verify("the interface is gone", linksIn(inside.stdout), ["lo"]);
  const links = await stage.type("bridge link");
  stage.verify("its other end is gone: one port is left", portsIn(links.stdout, NETWORK.bridge).length, 1);
  const rules = await stage.type(`iptables-save | grep ${NETWORK.name}`);
  verifyMasquerade(stage, "only the rules of the second container are left", rules.stdout, SECOND);
  const leases = await stage.type(`ls ${LEASES}`);
  stage.verify(`${FIRST.address} is free`, leasesIn(leases.stdout), [SECOND.address]);

  stage.step("DEL again", "A runtime may repeat a DEL as often as it likes.");
  const again = await stage.type(call("DEL", FIRST, config));
  stage.verify("it succeeds", again.stdout, "");
  const second = await stage.type(call("DEL", SECOND, current));
  stage.verify("so does that of the second container", second.stdout, "");
}

/** `before` is the state of the host before the first ADD. */
export async function expectNothingLeft(stage: Stage, before: HostState): Promise<void> {
  stage.step(
    "Nothing is left",
    "By design the bridge, forwarding, and the files of host-local stay. The bridge is deleted by hand.",
  );
  await stage.type(`ip link delete ${NETWORK.bridge}`);
  await stage.type(`ip netns delete ${FIRST.id} && ip netns delete ${SECOND.id}`);
  const rules = await stage.type("iptables-save -t nat");
  stage.verify(
    "the network has no rule",
    { isWhole: /^\*nat$[\s\S]*^COMMIT$/m.test(rules.stdout), names: rules.stdout.includes(NETWORK.name) },
    { isWhole: true, names: false },
  );
  const leases = await stage.type(`ls ${LEASES}`);
  stage.verify("the network has no lease", leasesIn(leases.stdout), []);
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
