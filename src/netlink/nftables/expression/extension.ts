/** A match or target of x_tables inside an nf_tables rule (uapi linux/netfilter/nf_tables_compat.h). */
import { putBytes, putString, putU32be } from "../../attribute.ts";
import { required } from "../header.ts";
import type { ExpressionCodec } from "./codec.ts";

// NFTA_MATCH_* and NFTA_TARGET_* have the same numbers.
const NFTA_EXTENSION_NAME = 1;
const NFTA_EXTENSION_REV = 2;
const NFTA_EXTENSION_INFO = 3;

interface Extension {
  /** As iptables calls it: "comment", "MASQUERADE". */
  readonly extension: string;
  readonly revision: number;
  /** Its C structure, as long as the kernel wants it: padded to eight bytes. */
  readonly info: Uint8Array;
}

/** Looks at a packet, as `-m` of iptables does: "comment", "conntrack". */
export interface Match extends Extension {
  readonly name: "match";
}

/** Does something with a packet, as `-j` of iptables does: "MASQUERADE". */
export interface Target extends Extension {
  readonly name: "target";
}

const codecOf = <E extends Match | Target>(name: E["name"]): ExpressionCodec<E> => ({
  put(writer, { extension, revision, info }) {
    putString(writer, NFTA_EXTENSION_NAME, extension);
    putU32be(writer, NFTA_EXTENSION_REV, revision);
    putBytes(writer, NFTA_EXTENSION_INFO, info);
  },
  read: (attributes) =>
    ({
      name,
      extension: required(attributes.string(NFTA_EXTENSION_NAME), "extension name"),
      revision: required(attributes.u32be(NFTA_EXTENSION_REV), "revision"),
      info: required(attributes.bytes(NFTA_EXTENSION_INFO), "extension data"),
    }) as E,
});

/** Codecs of the two, whose attributes have the same numbers. */
export const match = codecOf<Match>("match");
export const target = codecOf<Target>("target");
