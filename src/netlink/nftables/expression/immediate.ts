/** Loads a constant, most often the verdict (NFTA_IMMEDIATE_*). */
import { putU32be } from "../../attribute.ts";
import { type Data, putData, readData } from "../data.ts";
import { required } from "../header.ts";
import type { ExpressionCodec } from "./codec.ts";

const NFTA_IMMEDIATE_DREG = 1;
const NFTA_IMMEDIATE_DATA = 2;

export interface Immediate {
  readonly name: "immediate";
  /** 0, NFT_REG_VERDICT, for a verdict. */
  readonly register: number;
  readonly data: Data;
}

export const immediate: ExpressionCodec<Immediate> = {
  put(writer, { register, data }) {
    putU32be(writer, NFTA_IMMEDIATE_DREG, register);
    putData(writer, NFTA_IMMEDIATE_DATA, data);
  },
  read: (attributes) => ({
    name: "immediate",
    register: required(attributes.u32be(NFTA_IMMEDIATE_DREG), "register"),
    data: required(readData(attributes, NFTA_IMMEDIATE_DATA), "data"),
  }),
};
