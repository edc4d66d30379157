/** Chains: NFTA_CHAIN_* and NFTA_HOOK_* of uapi linux/netfilter/nf_tables.h. */
import {
  type Attributes,
  present,
  putBytes,
  putNested,
  putRaw,
  putString,
  putU32be,
  putU64be,
  type RawAttribute,
} from "../attribute.ts";
import type { Request } from "../connection.ts";
import { flag, type Message } from "../message.ts";
import { decodeHeader, messageType, request, required } from "./header.ts";
import type { TableName } from "./table.ts";
import { decodeUserData, encodeUserData, type UserDatum } from "./userdata.ts";

const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_HANDLE = 2;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_USE = 6;
const NFTA_CHAIN_TYPE = 7;
const NFTA_CHAIN_USERDATA = 12;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;

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
  readonly policy?: number;
}

/** What names a chain. */
export interface ChainName extends TableName {
  readonly chain: string;
}

export interface Chain extends ChainName {
  readonly base?: Hook;
  readonly userData?: readonly UserDatum[];
  /** The kernel's number for it. Only decoded, as is `use`. */
  readonly handle?: bigint;
  /** Rules in it, and jumps to it. */
  readonly use?: number;
  /** Attributes that the decoder does not know. */
  readonly unknown?: readonly RawAttribute[];
}

/** For errors: `chain c of table inet t`. */
export const describeChain = ({ family, table, chain }: ChainName): string =>
  `chain ${chain} of table ${family} ${table}`;

/** Adds a chain. One that is there stays, unless `exclusive` (EEXIST) or its hook differs (EEXIST too). */
export const addChain = (chain: Chain, options: { exclusive?: boolean } = {}): Request =>
  request(
    `add ${describeChain(chain)}`,
    messageType.newChain,
    chain.family,
    flag.create | (options.exclusive ? flag.exclusive : 0),
    (writer) => {
      putString(writer, NFTA_CHAIN_TABLE, chain.table);
      putString(writer, NFTA_CHAIN_NAME, chain.chain);
      const { base } = chain;
      if (base !== undefined) {
        putString(writer, NFTA_CHAIN_TYPE, base.type);
        putU32be(writer, NFTA_CHAIN_POLICY, base.policy);
        putNested(writer, NFTA_CHAIN_HOOK, (hook) => {
          putU32be(hook, NFTA_HOOK_HOOKNUM, base.hook);
          // A negative priority is its two's complement.
          putU32be(hook, NFTA_HOOK_PRIORITY, base.priority >>> 0);
        });
      }
      putBytes(writer, NFTA_CHAIN_USERDATA, encodeUserData(chain.userData));
      putRaw(writer, chain.unknown);
    },
  );

const putName = (chain: ChainName) => (writer: Parameters<typeof putString>[0]) => {
  putString(writer, NFTA_CHAIN_TABLE, chain.table);
  putString(writer, NFTA_CHAIN_NAME, chain.chain);
};

/** Asks for one chain; ENOENT when there is none, or no such table. */
export const getChain = (chain: ChainName): Request =>
  request(`find ${describeChain(chain)}`, messageType.getChain, chain.family, 0, putName(chain));

/** Asks for the chains of all tables of a family. */
export const dumpChains = (family: TableName["family"]): Request =>
  request(`list chains of family ${family}`, messageType.getChain, family, 0, () => {});

/** Deletes a chain with its rules; EBUSY while another rule jumps to it, ENOENT when there is none. */
export const deleteChain = (chain: ChainName): Request =>
  request(`delete ${describeChain(chain)}`, messageType.deleteChain, chain.family, 0, putName(chain));

/** Deletes the chain with this handle, and no other that has its name by then. */
export const deleteChainByHandle = (chain: ChainName, handle: bigint): Request =>
  request(`delete ${describeChain(chain)}`, messageType.deleteChain, chain.family, 0, (writer) => {
    putString(writer, NFTA_CHAIN_TABLE, chain.table);
    putU64be(writer, NFTA_CHAIN_HANDLE, handle);
  });

function decodeHook(attributes: Attributes): Hook | undefined {
  const hook = attributes.nested(NFTA_CHAIN_HOOK);
  const policy = attributes.u32be(NFTA_CHAIN_POLICY);
  const type = attributes.string(NFTA_CHAIN_TYPE);
  if (hook === undefined) return undefined;
  return {
    type: required(type, "chain type") as Hook["type"],
    hook: required(hook.u32be(NFTA_HOOK_HOOKNUM), "hook number"),
    priority: required(hook.u32be(NFTA_HOOK_PRIORITY), "priority") | 0,
    ...present({ policy }),
  };
}

/** @throws DecodeError */
export function decodeChain(message: Message): Chain {
  const { family, attributes } = decodeHeader(message);
  return {
    family,
    table: required(attributes.string(NFTA_CHAIN_TABLE), "table name"),
    chain: required(attributes.string(NFTA_CHAIN_NAME), "chain name"),
    ...present({
      base: decodeHook(attributes),
      handle: attributes.u64be(NFTA_CHAIN_HANDLE),
      use: attributes.u32be(NFTA_CHAIN_USE),
      userData: decodeUserData(attributes.bytes(NFTA_CHAIN_USERDATA)),
    }),
    unknown: attributes.unread(),
  };
}
