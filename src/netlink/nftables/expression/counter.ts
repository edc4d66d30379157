/** Counts packets and bytes (NFTA_COUNTER_*). */
import { putU64be } from "../../attribute.ts";
import { required } from "../header.ts";
import type { ExpressionCodec } from "./codec.ts";

const NFTA_COUNTER_BYTES = 1;
const NFTA_COUNTER_PACKETS = 2;

export interface Counter {
  readonly name: "counter";
  readonly packets: bigint;
  readonly bytes: bigint;
}

export const counter: ExpressionCodec<Counter> = {
  put(writer, { packets, bytes }) {
    putU64be(writer, NFTA_COUNTER_BYTES, bytes);
    putU64be(writer, NFTA_COUNTER_PACKETS, packets);
  },
  read: (attributes) => ({
    name: "counter",
    packets: required(attributes.u64be(NFTA_COUNTER_PACKETS), "packet count"),
    bytes: required(attributes.u64be(NFTA_COUNTER_BYTES), "byte count"),
  }),
};
