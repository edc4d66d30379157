/** What the tables of cases have in common. */
import { type CallStep, type Case, call, life } from "../engine/case.ts";
import { DUAL, IPV4, IPV6, type JsonRecord, layer2 } from "../engine/network.ts";

export const FAMILIES: Readonly<Record<string, JsonRecord>> = { IPv4: IPV4, IPv6: IPV6, "dual-stack": DUAL };

/** The keys of the bridge plugin that are true or false. */
export const BOOLEANS = [
  ...["isGateway", "isDefaultGateway", "forceAddress", "ipMasq", "hairpinMode", "promiscMode", "macspoofchk"],
  ...["enabledad", "disableContainerInterface", "portIsolation", "preserveDefaultVlan"],
];

/** Keys of a network with a gateway, and IPv4 unless they say otherwise. */
export const gateway = (keys: JsonRecord = {}): JsonRecord => ({ isGateway: true, ipam: IPV4, ...keys });

/** A life for each name, with these keys of the bridge plugin. */
export const lives = (table: Readonly<Record<string, JsonRecord>>, prefix = ""): Case[] =>
  Object.entries(table).map(([name, keys]) => life(`${prefix}${name}`, layer2(keys)));

/** The same command for one container after the other, after ADD with the result of each. */
export const inTurn = (command: string, config: JsonRecord, ...containers: readonly string[]): CallStep[] =>
  containers.map((container) =>
    call(command, config, {
      container,
      label: `${command} ${container}`,
      ...(command !== "ADD" && { after: `ADD ${container}` }),
    }),
  );

/** Turns IPv6 off where it runs. */
export const NO_IPV6 = "for s in all default lo; do echo 1 > /proc/sys/net/ipv6/conf/$s/disable_ipv6; done";
