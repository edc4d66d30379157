/**
 * What tools are asked to do for the goldens, from a file for each protocol. A line of it is
 *
 *   WORD = STATE                              a state that others may begin with
 *   NAME: STATE => COMMAND                    the last request of COMMAND is kept, with its replies: what comes before
 *                                             looks names up or tries what the kernel knows
 *   NAME (dump MESSAGE): STATE => COMMAND     or its dumps of one message type
 *
 * STATE is what a shell runs before that: commands and words with "&&" between them, or nothing.
 */
import { readFileSync } from "node:fs";
import { messageType } from "../../src/netlink/nftables/header.ts";
import { RTM_GETADDR } from "../../src/netlink/rtnetlink/address.ts";
import { RTM_GETLINK } from "../../src/netlink/rtnetlink/link.ts";
import { RTM_GETNEIGH } from "../../src/netlink/rtnetlink/neighbour.ts";
import { RTM_GETROUTE } from "../../src/netlink/rtnetlink/route.ts";
import type { Protocol } from "./golden.ts";

export interface Scenario {
  /** Of the golden. */
  readonly name: string;
  /** For a shell; may be empty. */
  readonly before: string;
  readonly command: string;
  readonly keep: "last" | { readonly dump: number };
  /** Shell command that fails on a kernel which can't play the scenario. */
  readonly unless?: string;
}

const MESSAGES: Readonly<Record<string, number>> = {
  ...{ link: RTM_GETLINK, address: RTM_GETADDR, route: RTM_GETROUTE, neighbour: RTM_GETNEIGH },
  ...{ table: messageType.getTable, chain: messageType.getChain, rule: messageType.getRule },
  ...{ set: messageType.getSet, element: messageType.getElement },
};

/** @throws Error for a line that is none of the above */
export function readScenarios(protocol: Protocol): Scenario[] {
  const text = readFileSync(`${import.meta.dir}/${protocol}.scenarios`, "utf8");
  const words = new Map<string, string>();
  const expand = (state: string) => state.replaceAll(/\b[A-Z]\w+\b/g, (word) => words.get(word) ?? word);
  return text.split("\n").flatMap((line) => {
    const [, word, state = ""] = /^([A-Z]\w+) = (.*)$/.exec(line) ?? [];
    if (word !== undefined) words.set(word, expand(state));
    if (word !== undefined || line === "" || line.startsWith("#")) return [];
    const [, name, dumped, before = "", command] =
      /^([\w-]+)(?: \(dump (\w+)\))?: (.*?) ?=> (.*)$/.exec(line) ?? [];
    const dump = MESSAGES[dumped ?? ""];
    if (name === undefined || command === undefined || (dumped !== undefined && dump === undefined))
      throw new Error(`${protocol}.scenarios: ${line}`);
    const scenario: Scenario = {
      name,
      before: expand(before),
      command,
      keep: dump === undefined ? "last" : { dump },
    };
    // These want a kernel with CONFIG_BRIDGE_VLAN_FILTERING.
    const filters = name.startsWith("vlan-filtering-");
    return [
      filters ? { ...scenario, unless: "ip link add name br9 type bridge vlan_filtering 1" } : scenario,
    ];
  });
}
