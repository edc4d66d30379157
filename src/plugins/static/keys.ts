/** The keys of an `ipam` section with "type": "static" (rules S1–S3). README's table is generated from them. */
import { DNS_KEYS, ROUTES_KEY } from "../../cni/keys.ts";
import type { Keys } from "../../schema/keys.ts";

/** The section of the configuration that has these keys. */
export const SECTION = "ipam";

/** One item of `addresses`. Addresses are parsed later, since those that are replaced need not be valid (rule S3). */
const ADDRESS_KEYS = [
  ["address", "text", null, "Address with its prefix length, as in `10.1.2.3/24`."],
  ["gateway", "address", null, "Gateway of the address."],
] as const satisfies Keys;

/** All keys. */
export const KEYS = [
  [
    "addresses",
    "object[]",
    null,
    'Addresses of the container: `{"address": "10.1.2.3/24", "gateway": "10.1.2.1"}`. The gateway may be left out.',
    ADDRESS_KEYS,
  ],
  ROUTES_KEY,
  ["dns", "object", null, "DNS settings of the result.", DNS_KEYS],
  [
    "variableIps",
    "text",
    null,
    "Further addresses with their prefix lengths, separated by commas.",
    null,
    "CNI_ARGS.IP",
  ],
  [
    "variableGateways",
    "text",
    null,
    "Gateways, separated by commas, for the addresses above. Each goes to those in whose network it is.",
    null,
    "CNI_ARGS.GATEWAY",
  ],
  [
    "argumentIps",
    "text[]",
    null,
    "Addresses with their prefix lengths. They replace those above.",
    null,
    "args.cni.ips",
  ],
  [
    "runtimeIps",
    "text[]",
    null,
    "Addresses with their prefix lengths. They replace all others.",
    null,
    "runtimeConfig.ips",
  ],
  [
    "ipsComeWithAdd",
    "boolean",
    false,
    "The runtime sends the addresses with ADD, so that STATUS does not verify `addresses`.",
    null,
    "capabilities.ips",
  ],
] as const satisfies Keys;
