/** The data that rules and maps load into a register: a value or a verdict (NFTA_DATA_*, NFTA_VERDICT_*). */
import { BYTES, type Fields, INLINE, NAME32, nest, STRING } from "../schema.ts";

/** NF_* and NFT_* verdicts. The high ones are the negative numbers of nf_tables. */
const VERDICTS = {
  drop: 0,
  accept: 1,
  continue: 0xffffffff,
  break: 0xfffffffe,
  jump: 0xfffffffd,
  goto: 0xfffffffc,
  return: 0xfffffffb,
} as const;

/** `value` as in the register, or a `verdict`. Jump and goto also have their target, `chain`. */
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

/** A value under another name. */
export const valueAs = <const Name extends string>(name: Name) => nest([[1, name, BYTES]], [name] as const);
