/** What rules and maps put into a register (NFTA_DATA_*, NFTA_VERDICT_*): a value, or what becomes of the packet. */
import { type Attributes, putBytes, putNested, putString, putU32be } from "../attribute.ts";
import type { ByteWriter } from "../bytes.ts";
import { DecodeError } from "../error.ts";
import { required } from "./header.ts";

const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

/** NF_* and NFT_* verdicts; the negative ones are nf_tables' own. */
const verdictCode = { drop: 0, accept: 1, continue: -1, break: -2, jump: -3, goto: -4, return: -5 } as const;

/** What becomes of the packet. */
export interface Verdict {
  readonly verdict: keyof typeof verdictCode;
  /** Where jump and goto lead. */
  readonly chain?: string;
}

/** Bytes as they stand in the register, or a verdict. */
export type Data = { readonly value: Uint8Array } | Verdict;

export function putData(writer: ByteWriter, type: number, data: Data | undefined): void {
  if (data === undefined) return;
  putNested(writer, type, (body) => {
    if ("value" in data) putBytes(body, NFTA_DATA_VALUE, data.value);
    else {
      putNested(body, NFTA_DATA_VERDICT, (verdict) => {
        putU32be(verdict, NFTA_VERDICT_CODE, verdictCode[data.verdict] >>> 0);
        putString(verdict, NFTA_VERDICT_CHAIN, data.chain);
      });
    }
  });
}

/** @throws DecodeError */
export function readData(attributes: Attributes, type: number): Data | undefined {
  const data = attributes.nested(type);
  if (data === undefined) return undefined;
  const value = data.bytes(NFTA_DATA_VALUE);
  if (value !== undefined) return { value };
  const verdict = required(data.nested(NFTA_DATA_VERDICT), "value or verdict");
  const code = required(verdict.u32be(NFTA_VERDICT_CODE), "verdict code") | 0;
  const name = (Object.keys(verdictCode) as Verdict["verdict"][]).find((key) => verdictCode[key] === code);
  if (name === undefined) throw new DecodeError(`nf_tables knows no verdict ${code}`);
  const chain = verdict.string(NFTA_VERDICT_CHAIN);
  return chain === undefined ? { verdict: name } : { verdict: name, chain };
}
