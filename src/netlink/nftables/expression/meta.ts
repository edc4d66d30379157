/** Loads what the kernel knows of a packet into a register (NFTA_META_*). */
import { putU32be } from "../../attribute.ts";
import { required } from "../header.ts";
import type { ExpressionCodec } from "./codec.ts";

const NFTA_META_DREG = 1;
const NFTA_META_KEY = 2;

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

export interface Meta {
  readonly name: "meta";
  readonly register: number;
  /** A value of `metaKey`. Interface names fill 16 bytes with zeros. */
  readonly key: number;
}

export const meta: ExpressionCodec<Meta> = {
  put(writer, { register, key }) {
    putU32be(writer, NFTA_META_KEY, key);
    putU32be(writer, NFTA_META_DREG, register);
  },
  read: (attributes) => ({
    name: "meta",
    register: required(attributes.u32be(NFTA_META_DREG), "register"),
    key: required(attributes.u32be(NFTA_META_KEY), "meta key"),
  }),
};
