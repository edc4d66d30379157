/** Converts the vlanTrunk key (rule B6), with VLANs and ranges, into one sorted list of ranges. */
import { CniError, code } from "../../cni/error.ts";
import type { Trunk } from "../../links/vlan.ts";
import type { Parsed } from "../../schema/keys.ts";
import type { TRUNK_KEYS } from "./keys.ts";

/** Returns an empty list if the key has no VLANs. @throws CniError code 7 with the reference's words and the item's path */
export function parseTrunk(items: readonly Parsed<typeof TRUNK_KEYS>[]): Trunk {
  const ranges: { first: number; last: number }[] = [];
  for (const [index, { id, minID, maxID }] of items.entries()) {
    if (minID !== undefined && maxID !== undefined) {
      if (maxID < minID)
        throw invalid(index, `minID is greater than maxID in trunk parameter (${minID} and ${maxID})`);
      ranges.push({ first: minID, last: maxID });
    } else if (minID !== maxID) {
      const missing = minID === undefined ? "minID" : "maxID";
      throw invalid(index, `minID and maxID should be configured simultaneously, ${missing} is missing`);
    }
    if (id !== undefined) ranges.push({ first: id, last: id });
  }
  const merged: { first: number; last: number }[] = [];
  for (const range of ranges.sort((a, b) => a.first - b.first)) {
    const previous = merged.at(-1);
    if (previous !== undefined && range.first <= previous.last + 1)
      previous.last = Math.max(previous.last, range.last);
    else merged.push({ ...range });
  }
  return merged;
}

const invalid = (index: number, message: string): CniError =>
  new CniError(code.invalidConfig, `${message} (vlanTrunk[${index}])`);
