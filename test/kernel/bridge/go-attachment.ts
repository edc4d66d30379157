/** An attachment as the Go plugins leave it: a pair whose host's end has a random name and MAC and no alias, and a lease. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import { type AddResult, BRIDGE, LEASES } from "./network.ts";

export interface GoAttachment {
  readonly containerId: string;
  readonly veth: string;
  readonly address: string;
  /** As the plugin would have reported it. */
  readonly result: AddResult;
}

let count = 0;

/** The bridge must be there. `options.lease` false leaves the lease out. */
export async function addByGo(
  host: ScratchHost,
  namespace: NamedNamespace,
  address: string,
  options: { ifname?: string; lease?: boolean; containerId?: string } = {},
): Promise<GoAttachment> {
  const { ifname = "eth0", lease = true, containerId = namespace.name } = options;
  count++;
  const veth = `veth${(0xa0000000 + count).toString(16)}`;
  const mac = `0e:00:00:00:00:${count.toString(16).padStart(2, "0")}`;
  const inside = `0e:00:00:00:01:${count.toString(16).padStart(2, "0")}`;
  await host.run(
    `ip link add ${veth} address ${mac} master ${BRIDGE} type veth peer name ${ifname} address ${inside} netns ${namespace.name} && ip link set ${veth} up`,
  );
  await namespace.run(`ip addr add ${address}/24 dev ${ifname} && ip link set ${ifname} up`);
  if (lease) {
    mkdirSync(LEASES, { recursive: true });
    writeFileSync(`${LEASES}/${address}`, `${containerId}\r\n${ifname}`);
  }
  const result: AddResult = {
    cniVersion: "1.1.0",
    interfaces: [
      { name: BRIDGE, mac: "0e:00:00:00:02:01" },
      { name: veth, mac },
      { name: ifname, mac: inside, sandbox: namespace.path },
    ],
    ips: [{ interface: 2, address: `${address}/24` }],
  };
  return { containerId, veth, address, result };
}
