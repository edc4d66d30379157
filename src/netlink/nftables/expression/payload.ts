/** Loads bytes of the packet into a register (NFTA_PAYLOAD_*). */
import { putU32be } from "../../attribute.ts";
import { required } from "../header.ts";
import type { ExpressionCodec } from "./codec.ts";

const NFTA_PAYLOAD_DREG = 1;
const NFTA_PAYLOAD_BASE = 2;
const NFTA_PAYLOAD_OFFSET = 3;
const NFTA_PAYLOAD_LEN = 4;

/** NFT_PAYLOAD_*_HEADER: where the offset counts from. */
export const payloadBase = { link: 0, network: 1, transport: 2 } as const;

export interface Payload {
  readonly name: "payload";
  readonly register: number;
  /** A value of `payloadBase`. */
  readonly base: number;
  /** Bytes from the base. */
  readonly offset: number;
  readonly length: number;
}

export const payload: ExpressionCodec<Payload> = {
  put(writer, { register, base, offset, length }) {
    putU32be(writer, NFTA_PAYLOAD_DREG, register);
    putU32be(writer, NFTA_PAYLOAD_BASE, base);
    putU32be(writer, NFTA_PAYLOAD_OFFSET, offset);
    putU32be(writer, NFTA_PAYLOAD_LEN, length);
  },
  read: (attributes) => ({
    name: "payload",
    register: required(attributes.u32be(NFTA_PAYLOAD_DREG), "register"),
    base: required(attributes.u32be(NFTA_PAYLOAD_BASE), "payload base"),
    offset: required(attributes.u32be(NFTA_PAYLOAD_OFFSET), "payload offset"),
    length: required(attributes.u32be(NFTA_PAYLOAD_LEN), "payload length"),
  }),
};
