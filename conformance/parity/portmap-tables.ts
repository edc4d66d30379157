/** What the cases of portmap have in common. */
import type { JsonRecord } from "../engine/network.ts";
import { caller } from "./chained.ts";

export const on = caller("portmap");
export const BACKENDS = ["iptables", "nftables"] as const;
export type Backend = (typeof BACKENDS)[number];

export const ports = (...portMappings: readonly JsonRecord[]): JsonRecord => ({
  runtimeConfig: { portMappings },
});
export const TCP = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
export const UDP = { hostPort: 8053, containerPort: 53, protocol: "udp" };
export const SCTP = { hostPort: 8132, containerPort: 132, protocol: "sctp" };
export const ONE = ports(TCP);
