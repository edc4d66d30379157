/** Gives the packet the address of the interface that it leaves through (NFTA_MASQ_*). */
import { present, putU32be } from "../../attribute.ts";
import type { ExpressionCodec } from "./codec.ts";

const NFTA_MASQ_FLAGS = 1;

export interface Masquerade {
  readonly name: "masq";
  /** NF_NAT_RANGE_*: 4 random, 8 persistent, 16 fully-random. */
  readonly flags?: number;
}

export const masquerade: ExpressionCodec<Masquerade> = {
  put(writer, { flags }) {
    putU32be(writer, NFTA_MASQ_FLAGS, flags);
  },
  read: (attributes) => ({ name: "masq", ...present({ flags: attributes.u32be(NFTA_MASQ_FLAGS) }) }),
};
