/** Schema and requests of chains: NFTA_CHAIN_* and NFTA_HOOK_* of uapi linux/netfilter/nf_tables.h. */
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { DecodeError } from "../error.ts";
import { flag, type Message } from "../message.ts";
import { BE32, BE64, CUSTOM, type Fields, INLINE, nest, SBE32, STRING, schema } from "../schema.ts";
import { messageType, NFGENMSG, request } from "./header.ts";
import type { TableName } from "./table.ts";
import { USER_DATA } from "./userdata.ts";

export const CHAIN = schema(
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
    // Number of rules in it and of jumps to it. Only decoded.
    [6, "use", BE32],
  ],
  ["table", "chain"],
);

/** NF_INET_* of uapi linux/netfilter.h. NF_BR_* of linux/netfilter_bridge.h has the same numbers. */
export const hookNumber = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

/** Where packets enter a base chain. */
export interface Hook {
  readonly type: "filter" | "nat" | "route";
  /** A value of `hookNumber`. */
  readonly hook: number;
  /** Lower runs earlier; 100 is nft's `srcnat`. */
  readonly priority: number;
  /** NF_DROP 0 or NF_ACCEPT 1, for packets that no rule decides. The kernel's default is accept. */
  readonly policy?: number | undefined;
}

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

/** Adds a chain. An existing chain stays; EEXIST if `exclusive` is set or its hook differs. */
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

/** Gets one chain; ENOENT when it or its table does not exist. */
export const getChain = named("find", messageType.getChain);

/** Deletes a chain with its rules; EBUSY while another rule jumps to it, ENOENT when it does not exist. */
export const deleteChain = named("delete", messageType.deleteChain);

/** Lists the chains of all tables of a family. */
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
