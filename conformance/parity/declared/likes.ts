/** Cases in which the reference fails and ours does what the reference does in another case. */
import type { Like } from "../../engine/run.ts";

const BOTH_PLUGINS = { row: "A51" };
const BEATS = { row: "L10" };
const ONE_DEFAULT = { row: "G13" };
const ONE_ROUTE = { row: "K19" };

export const LIKES: Readonly<Record<string, Like>> = {
  "MAC of CNI_ARGS without IgnoreUnknown": {
    ...BOTH_PLUGINS,
    reference: /^ARGS: unknown args \["MAC=/,
    as: "MAC of CNI_ARGS",
  },
  "IP of CNI_ARGS": {
    ...BOTH_PLUGINS,
    reference: /^ARGS: unknown args \["IP=/,
    as: "IP of CNI_ARGS with IgnoreUnknown",
  },
  "IP and MAC of CNI_ARGS": {
    ...BOTH_PLUGINS,
    reference: /^ARGS: unknown args \["IP=/,
    as: "IP and MAC of CNI_ARGS, IgnoreUnknown",
  },
  "host-local: CNI_ARGS IP and MAC": {
    ...BOTH_PLUGINS,
    reference: /^ARGS: unknown args \["MAC=/,
    as: "host-local: CNI_ARGS IP",
  },
  "static: CNI_ARGS IP and MAC": {
    row: "S7",
    reference: /^ARGS: unknown args \["MAC=/,
    as: "static: CNI_ARGS IP",
  },
  "tuning: CNI_ARGS MAC and IP": {
    ...BOTH_PLUGINS,
    reference: /^ARGS: unknown args \["IP=/,
    as: "tuning: CNI_ARGS MAC",
  },
  "IP of CNI_ARGS and of args.cni": {
    ...BEATS,
    reference: /^failed to allocate all requested IPs: 10\.10\.3\.[78]$/,
    as: "IP of args.cni",
  },
  "host-local: args.cni.ips and CNI_ARGS": {
    ...BEATS,
    reference: /^failed to allocate all requested IPs: 10\.10\.0\.6[56]$/,
    as: "host-local: args.cni.ips",
  },
  "portmap: nftables, protocol in capitals": {
    row: "M5",
    reference: /^unable to set up nftables rules for port mappings: .*syntax error/,
    as: "portmap: nftables, one port",
  },
  "portmap: iptables, no protocol": {
    row: "M5",
    reference: /^unable to setup DNAT: /,
    as: "portmap: iptables, one port",
  },
  "portmap: no backend, conditions of nftables": {
    row: "M4",
    reference: /^failed to parse config: iptables backend was requested but configuration contains nftables-/,
    as: "portmap: nftables, one condition",
  },
  "routes: default of the IPAM without gateway and isDefaultGateway": {
    ...ONE_DEFAULT,
    reference: /^failed to add route .*: file exists$/,
    as: "routes: default of the IPAM, IPv4",
  },
  "routes: default of the IPAM without gateway and isDefaultGateway, IPv6": {
    ...ONE_DEFAULT,
    reference: /^failed to add route .*: file exists$/,
    as: "routes: default of the IPAM, IPv6",
  },
  "routes: twice the same": {
    ...ONE_ROUTE,
    reference: /^failed to add route .*: file exists$/,
    as: "routes: one",
  },
  "routes: twice the same, IPv6": {
    ...ONE_ROUTE,
    reference: /^failed to add route .*: file exists$/,
    as: "routes: one, IPv6",
  },
  "existing: bridge with another and the gateway address": {
    row: "B25",
    because: "the gateway address is there already, whatever stands before it",
    reference: /"cni0" already has an IP address different from 10\.10\.0\.1\/16$/,
    as: "existing: bridge with the gateway and another address",
  },
  "existing: bridge with several IPv4 addresses, forceAddress": {
    row: "B25",
    because: "forceAddress replaces every other IPv4 address, those of the same subnet as well",
    reference: /could not remove IP address from "cni0": cannot assign requested address$/,
    as: "existing: bridge with another IPv4 address, forceAddress",
  },
};
