/** The network that the machines of the cluster are on: a bridge in the scratch host, with a wire to each node. */
import { outputOf } from "../../test/support/command.ts";

/** Addresses of a machine. */
export interface Place {
  readonly v4: string;
  readonly v6: string;
}

/** The bridge. */
export const LAN = "lan";

/** The scratch host itself: the control plane, and at the same time a machine that knows no way to any pod. */
export const CONTROL: Place = { v4: "10.0.0.1", v6: "fd00:10::1" };

/** The nodes by name. */
export const NODES: Readonly<Record<string, Place>> = {
  node1: { v4: "10.0.0.11", v6: "fd00:10::11" },
  node2: { v4: "10.0.0.12", v6: "fd00:10::12" },
};

/** What pods and services get their addresses from. */
export const RANGES = {
  pods: { v4: "10.244.0.0/16", v6: "fd00:244::/56" },
  services: { v4: "10.96.0.0/16", v6: "fd00:96::/112" },
} as const;

/** Both families, as the programs of Kubernetes take them. */
export const both = ({ v4, v6 }: Place): string => `${v4},${v6}`;

export async function makeLan(): Promise<void> {
  await outputOf(`set -e
    ip link add ${LAN} type bridge
    ip addr add ${CONTROL.v4}/24 dev ${LAN}; ip addr add ${CONTROL.v6}/64 dev ${LAN} nodad
    ip link set ${LAN} up`);
}
