/** Masks a register: target = (source & mask) ^ xor (NFTA_BITWISE_*). */
import { putU32be } from "../../attribute.ts";
import { putData, readData } from "../data.ts";
import { required } from "../header.ts";
import type { ExpressionCodec } from "./codec.ts";

const NFTA_BITWISE_SREG = 1;
const NFTA_BITWISE_DREG = 2;
const NFTA_BITWISE_LEN = 3;
const NFTA_BITWISE_MASK = 4;
const NFTA_BITWISE_XOR = 5;
/** NFT_BITWISE_BOOL 0 is the default; shifts (1, 2) have no mask. */
const NFTA_BITWISE_OP = 6;

export interface Bitwise {
  readonly name: "bitwise";
  readonly source: number;
  readonly target: number;
  readonly mask: Uint8Array;
  /** As long as the mask. */
  readonly xor: Uint8Array;
}

export const bitwise: ExpressionCodec<Bitwise> = {
  put(writer, { source, target, mask, xor }) {
    putU32be(writer, NFTA_BITWISE_SREG, source);
    putU32be(writer, NFTA_BITWISE_DREG, target);
    putU32be(writer, NFTA_BITWISE_LEN, mask.length);
    putData(writer, NFTA_BITWISE_MASK, { value: mask });
    putData(writer, NFTA_BITWISE_XOR, { value: xor });
  },
  read(attributes) {
    const value = (type: number): Uint8Array | undefined => {
      const data = readData(attributes, type);
      return data !== undefined && "value" in data ? data.value : undefined;
    };
    // Not kept: a Boolean operation of as many bytes as the mask has.
    attributes.u32be(NFTA_BITWISE_OP);
    attributes.u32be(NFTA_BITWISE_LEN);
    return {
      name: "bitwise",
      source: required(attributes.u32be(NFTA_BITWISE_SREG), "register"),
      target: required(attributes.u32be(NFTA_BITWISE_DREG), "register"),
      mask: required(value(NFTA_BITWISE_MASK), "mask"),
      xor: required(value(NFTA_BITWISE_XOR), "xor"),
    };
  },
};
