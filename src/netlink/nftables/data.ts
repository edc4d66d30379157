/** What rules and maps put into a register (NFTA_DATA_*, NFTA_VERDICT_*): a value, or what becomes of the packet. */
import { BYTES, type Fields, INLINE, NAME32, nest, STRING } from "../schema.ts";

/** NF_* and NFT_* verdicts; the high ones are nf_tables' own, negative numbers. */
const VERDICTS = {
  drop: 0,
  accept: 1,
  continue: 0xffffffff,
  break: 0xfffffffe,
  jump: 0xfffffffd,
  goto: 0xfffffffc,
  return: 0xfffffffb,
} as const;

/** `value` as it stands in the register, or a `verdict`; with jump and goto the `chain` where they lead. */
export const DATA = nest([
  [1, "value", BYTES],
  [
    2,
    "",
    INLINE,
    nest([
      [1, "verdict", NAME32, VERDICTS],
      [2, "chain", STRING],
    ]),
  ],
]);
export type Data = Fields<typeof DATA>;

/** A value that the object which holds it calls by another name. */
export const valueAs = <const Name extends string>(name: Name) => nest([[1, name, BYTES]], [name] as const);
