/** Goes on only if a register's value is in a set; with a map, loads what it leads to (NFTA_LOOKUP_*). */
import { present, putString, putU32be } from "../../attribute.ts";
import { required } from "../header.ts";
import type { ExpressionCodec } from "./codec.ts";

const NFTA_LOOKUP_SET = 1;
const NFTA_LOOKUP_SREG = 2;
const NFTA_LOOKUP_DREG = 3;
const NFTA_LOOKUP_SET_ID = 4;
const NFTA_LOOKUP_FLAGS = 5;
const NFT_LOOKUP_F_INV = 1;

export interface Lookup {
  readonly name: "lookup";
  readonly set: string;
  /** First register of the key. */
  readonly register: number;
  /** Of a map: where its data goes; 0 is the verdict. */
  readonly target?: number;
  /** Goes on if the value is not in the set. */
  readonly inverted?: boolean;
  /** Number of a set that the same transaction adds. Only encoded. */
  readonly setId?: number;
}

export const lookup: ExpressionCodec<Lookup> = {
  put(writer, { set, register, target, inverted, setId }) {
    putU32be(writer, NFTA_LOOKUP_SREG, register);
    putU32be(writer, NFTA_LOOKUP_DREG, target);
    putString(writer, NFTA_LOOKUP_SET, set);
    putU32be(writer, NFTA_LOOKUP_SET_ID, setId);
    putU32be(writer, NFTA_LOOKUP_FLAGS, inverted ? NFT_LOOKUP_F_INV : undefined);
  },
  read(attributes) {
    const flags = attributes.u32be(NFTA_LOOKUP_FLAGS) ?? 0;
    return {
      name: "lookup",
      set: required(attributes.string(NFTA_LOOKUP_SET), "set name"),
      register: required(attributes.u32be(NFTA_LOOKUP_SREG), "register"),
      ...present({
        target: attributes.u32be(NFTA_LOOKUP_DREG),
        inverted: (flags & NFT_LOOKUP_F_INV) !== 0 || undefined,
      }),
    };
  },
};
