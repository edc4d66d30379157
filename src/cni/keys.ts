/** The keys that several plugins share, and the function by which plugins read their keys. */
import type { Document, Key, Keys, Parsed } from "../schema/keys.ts";
import { parse } from "../schema/parse.ts";
import { parseCniArgs } from "./args.ts";

/** The key that is checked first. */
export const NETWORK_KEYS = [["name", "text", "", ""]] as const satisfies Keys;

/** Further keys of every network configuration. */
export const SHARED_KEYS = [
  ["cniVersion", "text", null, ""],
  ["prevResult", "object", null, ""],
  [
    "callTimeout",
    "1..3600",
    20,
    "Seconds that a call may take, including waits for locks and other programs. A failed ADD has 10 s more for its undo.",
  ],
] as const satisfies Keys;

/** A route of a result or of an `ipam` section. */
export const ROUTE_KEYS = [
  ["dst", "prefix!", null, "Destination."],
  ["gw", "address", null, "Gateway. Default: the gateway of the address."],
  ["mtu", "integer", null, "MTU."],
  ["advmss", "integer", null, "MSS that TCP advertises."],
  ["priority", "integer", null, "Metric."],
  ["table", "integer", null, "Routing table."],
  ["scope", "integer", null, "Scope, as the kernel's number."],
] as const satisfies Keys;

/** The routes of an `ipam` section. */
export const ROUTES_KEY = [
  "routes",
  "object[]",
  null,
  '`{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}`; also `mtu`, `advmss`, `priority`, `table`, `scope`.',
  ROUTE_KEYS,
] as const satisfies Key;

/** DNS settings of the container. */
export const DNS_KEYS = [
  ["nameservers", "text[]", null, "Addresses of name servers."],
  ["domain", "text", null, "Local domain."],
  ["search", "text[]", null, "Domains to search in."],
  ["options", "text[]", null, "Options for the resolver."],
] as const satisfies Keys;

/**
 * Reads a plugin's keys from the configuration, or from its section `value` at `path`. Keys whose row names other places
 * are read from there: runtimeConfig, args.cni and CNI_ARGS (rules A50 to A52).
 * @throws KeyError; CniError code 4 for CNI_ARGS
 */
export function readKeys<Table extends Keys>(
  keys: Table,
  { config, args }: { readonly config: { readonly json: Document }; readonly args: string },
  value: unknown = config.json,
  path = "",
): Parsed<Table> {
  const variables = args === "" ? undefined : parseCniArgs(args);
  return parse(keys, value, path, { document: config.json, variables });
}
