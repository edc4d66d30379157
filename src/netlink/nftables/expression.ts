/**
 * The expressions of a rule, evaluated in order: NFTA_EXPR_* with the attributes of each kind inside
 * (uapi linux/netfilter/nf_tables.h).
 */
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { DecodeError } from "../error.ts";
import {
  BE32,
  BE64,
  BIT,
  BYTES,
  ENCODED,
  type Fields,
  INLINE,
  NEST,
  nest,
  REPEATED,
  type Schema,
  STRING,
} from "../schema.ts";
import { DATA, valueAs } from "./data.ts";

/** Some of NFT_META_*. */
export const metaKey = {
  protocol: 1,
  mark: 3,
  iif: 4,
  oif: 5,
  iifname: 6,
  oifname: 7,
  nfproto: 15,
  l4proto: 16,
} as const;

/** NFT_CMP_*. */
export const comparison = {
  equal: 0,
  notEqual: 1,
  less: 2,
  lessOrEqual: 3,
  greater: 4,
  greaterOrEqual: 5,
} as const;

/** NFT_PAYLOAD_*_HEADER: where the offset counts from. */
export const payloadBase = { link: 0, network: 1, transport: 2 } as const;

/** Some of NFT_CT_*. */
export const ctKey = { state: 0, status: 2 } as const;

/** NFT_FIB_RESULT_ADDRTYPE and NFTA_FIB_F_DADDR. */
export const fib = { addressType: 3, ofDestination: 2 } as const;

/** A match or target of x_tables inside a rule (uapi linux/netfilter/nf_tables_compat.h). */
const EXTENSION = nest(
  [
    // As iptables calls it: "comment", "MASQUERADE".
    [1, "extension", STRING],
    [2, "revision", BE32],
    // Its C structure, padded to eight bytes.
    [3, "info", BYTES],
  ],
  ["extension", "revision", "info"],
);

/** The kinds that this program writes. Register 0 is the verdict. */
const KINDS = {
  /** Masks a register: target = (source & mask) ^ xor. */
  bitwise: nest(
    [
      [1, "source", BE32],
      [2, "target", BE32],
      [3, "maskLength", REPEATED],
      [4, "", INLINE, valueAs("mask")],
      [5, "", INLINE, valueAs("xor")],
      // NFT_BITWISE_BOOL 0 is the default; shifts (1, 2) have no mask.
      [6, "", REPEATED],
    ],
    ["source", "target", "mask", "xor"],
  ),
  /** Compares a register with a constant; the rule ends if it is false. `operator` is a value of `comparison`. */
  cmp: nest(
    [
      [1, "register", BE32],
      [2, "operator", BE32],
      [3, "", INLINE, valueAs("value")],
    ],
    ["register", "operator", "value"],
  ),
  /** Counts packets and bytes. */
  counter: nest(
    [
      [1, "bytes", BE64],
      [2, "packets", BE64],
    ],
    ["bytes", "packets"],
  ),
  /** Loads what connection tracking knows of a packet; `key` is a value of `ctKey`. */
  ct: nest(
    [
      [2, "key", BE32],
      [1, "register", BE32],
    ],
    ["key", "register"],
  ),
  /** Loads what the routing tables say about an address; `result` and `flags` are values of `fib`. */
  fib: nest(
    [
      [3, "flags", BE32],
      [2, "result", BE32],
      [1, "register", BE32],
    ],
    ["flags", "result", "register"],
  ),
  /** Loads a constant, most often the verdict. */
  immediate: nest(
    [
      [1, "register", BE32],
      [2, "data", NEST, DATA],
    ],
    ["register", "data"],
  ),
  /** The rule ends if a register's value is not in a set, or with `inverted` if it is. A map's data is loaded. */
  lookup: nest(
    [
      // First register of the key.
      [2, "register", BE32],
      // Register for the data of a map.
      [3, "target", BE32],
      [1, "set", STRING],
      // The number of a set that is added in the same transaction.
      [4, "setId", BE32],
      [5, "inverted", BIT],
    ],
    ["register", "set"],
  ),
  /** Masquerades: the source becomes the outgoing interface's address. `flags` are NF_NAT_RANGE_*: 16 fully-random. */
  masq: nest([[1, "flags", BE32]]),
  /** Matches a packet, like `-m` of iptables. */
  match: EXTENSION,
  /** Loads metadata of a packet; `key` is a value of `metaKey`. Interface names are padded with zeros to 16 bytes. */
  meta: nest(
    [
      [2, "key", BE32],
      [1, "register", BE32],
    ],
    ["key", "register"],
  ),
  /**
   * Translates an address and a port from registers. `type` is NFT_NAT_*: 0 the source's, 1 the destination's. `family` is
   * that of the address. The kernel derives the flags from the registers, and reports the ends of both ranges.
   */
  nat: nest(
    [
      [1, "type", BE32],
      [2, "family", BE32],
      [3, "address", BE32],
      [4, "lastAddress", BE32],
      [5, "port", BE32],
      [6, "lastPort", BE32],
      [7, "flags", BE32],
    ],
    ["type", "family"],
  ),
  /** Loads bytes of the packet; `base` is a value of `payloadBase`. */
  payload: nest(
    [
      [1, "register", BE32],
      [2, "base", BE32],
      [3, "offset", BE32],
      [4, "length", BE32],
    ],
    ["register", "base", "offset", "length"],
  ),
  /** Handles a packet, like `-j` of iptables. */
  target: EXTENSION,
} as const satisfies Record<string, Schema>;

type KnownExpression = {
  [Name in keyof typeof KINDS]: { readonly name: Name } & Omit<Fields<(typeof KINDS)[Name]>, "unknown">;
}[keyof typeof KINDS];

/** An expression that no schema describes completely. It is kept as it came. */
interface UnknownExpression {
  readonly name: "unknown";
  readonly kind: string;
  /** Attributes as they came; undefined where there were none. */
  readonly data: Uint8Array | undefined;
}

export type Expression = KnownExpression | UnknownExpression;

/** NFTA_EXPR_*: an item of the list in a rule. */
export const EXPRESSION = nest(
  [
    [1, "name", STRING],
    [2, "data", ENCODED],
  ],
  ["name"],
);
type Item = Fields<typeof EXPRESSION>;

export function encodeExpression(expression: Expression): Item {
  const { name } = expression;
  if (name === "unknown") return { name: expression.kind, data: expression.data };
  if (name !== "bitwise") return { name, data: encode(KINDS[name] as Schema, expression as object) };
  return { name, data: encode(KINDS.bitwise, { ...expression, maskLength: expression.mask.length }) };
}

/** @throws DecodeError */
export function decodeExpression({ name, data }: Item): Expression {
  const asItCame = { name: "unknown", kind: name, data } as const;
  if (!Object.hasOwn(KINDS, name)) return asItCame;
  try {
    const expression = decode(KINDS[name as keyof typeof KINDS] as Schema, data ?? new Uint8Array());
    return "unknown" in expression ? asItCame : ({ name, ...expression } as unknown as KnownExpression);
  } catch (error) {
    if (error instanceof DecodeError) return asItCame;
    throw error;
  }
}
