/** Goes on only if a register compares so with a constant (NFTA_CMP_*). */
import { putU32be } from "../../attribute.ts";
import { putData, readData } from "../data.ts";
import { required } from "../header.ts";
import type { ExpressionCodec } from "./codec.ts";

const NFTA_CMP_SREG = 1;
const NFTA_CMP_OP = 2;
const NFTA_CMP_DATA = 3;

/** NFT_CMP_*. */
export const comparison = {
  equal: 0,
  notEqual: 1,
  less: 2,
  lessOrEqual: 3,
  greater: 4,
  greaterOrEqual: 5,
} as const;

export interface Compare {
  readonly name: "cmp";
  readonly register: number;
  /** A value of `comparison`. */
  readonly operator: number;
  readonly value: Uint8Array;
}

export const compare: ExpressionCodec<Compare> = {
  put(writer, { register, operator, value }) {
    putU32be(writer, NFTA_CMP_SREG, register);
    putU32be(writer, NFTA_CMP_OP, operator);
    putData(writer, NFTA_CMP_DATA, { value });
  },
  read(attributes) {
    const data = readData(attributes, NFTA_CMP_DATA);
    return {
      name: "cmp",
      register: required(attributes.u32be(NFTA_CMP_SREG), "register"),
      operator: required(attributes.u32be(NFTA_CMP_OP), "comparison"),
      value: required(data !== undefined && "value" in data ? data.value : undefined, "value"),
    };
  },
};
