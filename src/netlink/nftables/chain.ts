/** Chains: NFTA_CHAIN_* and NFTA_HOOK_* of uapi linux/netfilter/nf_tables.h. */
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { DecodeError } from "../error.ts";
import { flag, type Message } from "../message.ts";
import { BE32, BE64, CUSTOM, type Fields, INLINE, nest, SBE32, STRING, schema } from "../schema.ts";
import { messageType, NFGENMSG, request } from "./header.ts";
import type { TableName } from "./table.ts";
import { USER_DATA } from "./userdata.ts";

const CHAIN = schema(
  4,
  NFGENMSG,
  [
    [1, "table", STRING],
    [3, "chain", STRING],
    [7, "type", STRING],
    [5, "policy", BE32],
    // NFTA_CHAIN_HOOK.
    [
      4,
      "",
      INLINE,
      nest([
        [1, "hook", BE32],
        [2, "priority", SBE32],
      ]),
    ],
    [12, "userData", CUSTOM, USER_DATA],
    [2, "handle", BE64],
    // Rules in it, and jumps to it. Only decoded.
    [6, "use", BE32],
  ],
  ["table", "chain"],
);

/** NF_INET_* of uapi linux/netfilter.h, and NF_BR_* of linux/netfilter_bridge.h: the same numbers. */
export const hookNumber = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

/** What makes a chain a base chain: where packets enter it. */
export interface Hook {
  readonly type: "filter" | "nat" | "route";
  /** A value of `hookNumber`. */
  readonly hook: number;
  /** Lower runs earlier; 100 is nft's `srcnat`. */
  readonly priority: number;
  /** NF_DROP 0 or NF_ACCEPT 1, for what no rule decides; undefined leaves it to the kernel: accept. */
  readonly policy?: number | undefined;
}

/** What names a chain. */
export interface ChainName extends TableName {
  readonly chain: string;
}

export interface Chain
  extends ChainName,
    Pick<Fields<typeof CHAIN>, "userData" | "handle" | "use" | "unknown"> {
  readonly base?: Hook | undefined;
}

/** For errors: `chain c of table inet t`. */
export const describeChain = ({ family, table, chain }: ChainName): string =>
  `chain ${chain} of table ${family} ${table}`;

/** Adds a chain. One that is there stays, unless `exclusive` (EEXIST) or its hook differs (EEXIST too). */
export const addChain = (chain: Chain, options: { exclusive?: boolean } = {}): Request =>
  request(
    `add ${describeChain(chain)}`,
    messageType.newChain,
    flag.create | (options.exclusive ? flag.exclusive : 0),
    CHAIN,
    { ...chain, ...chain.base },
  );

const named =
  (verb: string, type: number) =>
  (name: ChainName): Request =>
    request(`${verb} ${describeChain(name)}`, type, 0, CHAIN, {
      family: name.family,
      table: name.table,
      chain: name.chain,
    });

/** Asks for one chain; ENOENT when there is none, or no such table. */
export const getChain = named("find", messageType.getChain);

/** Deletes a chain with its rules; EBUSY while another rule jumps to it, ENOENT when there is none. */
export const deleteChain = named("delete", messageType.deleteChain);

/** Asks for the chains of all tables of a family. */
export const dumpChains = (family: TableName["family"]): Request =>
  request(`list chains of family ${family}`, messageType.getChain, 0, CHAIN, { family });

/** @throws DecodeError */
export function decodeChain({ payload }: Message): Chain {
  const { type, hook, priority, policy, ...chain } = decode(CHAIN, payload);
  if (hook === undefined) return chain;
  if (type === undefined || priority === undefined)
    throw new DecodeError("the message has a hook without a chain type or a priority");
  return { ...chain, base: { type: type as Hook["type"], hook, priority, policy } };
}
