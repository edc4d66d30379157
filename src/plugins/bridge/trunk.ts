/** The vlanTrunk key (rule B6): single VLANs and ranges, as one sorted list of ranges. */
import { CniError, code } from "../../cni/error.ts";
import { JsonObject } from "../../cni/json-object.ts";
import type { Trunk } from "../../links/vlan.ts";

/** Empty when the key is there but names none. @throws CniError code 7 with the reference's words and the key's path. */
export function parseTrunk(json: JsonObject): Trunk | undefined {
  const ranges = json.array("vlanTrunk", (value, path) => itemRanges(JsonObject.from(value, path)));
  return ranges === undefined ? undefined : union(ranges.flat());
}

function itemRanges(item: JsonObject): { first: number; last: number }[] {
  const [minID, maxID, id] = [item.integer("minID"), item.integer("maxID"), item.integer("id")];
  const ranges: { first: number; last: number }[] = [];
  if (minID === undefined && maxID !== undefined) {
    throw invalid(item, "minID and maxID should be configured simultaneously, minID is missing");
  }
  if (minID !== undefined && maxID === undefined) {
    throw invalid(item, "minID and maxID should be configured simultaneously, maxID is missing");
  }
  if (minID !== undefined && maxID !== undefined) {
    requireVlan(item, minID, "incorrect trunk minID parameter");
    requireVlan(item, maxID, "incorrect trunk maxID parameter");
    if (maxID < minID)
      throw invalid(item, `minID is greater than maxID in trunk parameter (${minID} and ${maxID})`);
    ranges.push({ first: minID, last: maxID });
  }
  if (id !== undefined) {
    requireVlan(item, id, "incorrect trunk id parameter");
    ranges.push({ first: id, last: id });
  }
  return ranges;
}

function requireVlan(item: JsonObject, value: number, message: string): void {
  if (value < 1 || value > 4094) throw invalid(item, `${message}: ${value} is not between 1 and 4094`);
}

const invalid = (item: JsonObject, message: string): CniError =>
  new CniError(code.invalidConfig, `${message} (${item.path})`);

function union(ranges: { first: number; last: number }[]): Trunk {
  const merged: { first: number; last: number }[] = [];
  for (const range of ranges.sort((a, b) => a.first - b.first)) {
    const previous = merged.at(-1);
    if (previous !== undefined && range.first <= previous.last + 1)
      previous.last = Math.max(previous.last, range.last);
    else merged.push({ ...range });
  }
  return merged;
}
