/** vlanTrunk (B6) against a plain model: the set of ids. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { plannedVlans } from "../../../src/links/vlan.ts";
import { parseBridgeConfig } from "../../../src/plugins/bridge/config.ts";
import { thrownBy } from "../../cni/fake-host.ts";
import { requestWith } from "./request.ts";

const parse = (vlanTrunk: unknown) => parseBridgeConfig(requestWith({ vlanTrunk })).trunk;

test("B6: accepts ids, ranges, both in one item, overlaps and any order", () => {
  expect(parse(undefined)).toBeUndefined();
  expect(parse([])).toEqual([]);
  expect(parse([{ id: 7 }, { minID: 3, maxID: 5, id: 100 }, { id: 6 }, { minID: 4, maxID: 4 }])).toEqual([
    { first: 3, last: 7 },
    { first: 100, last: 100 },
  ]);
});

test("B6: errors name the problem and the item", () => {
  const cases: readonly [unknown, number, string][] = [
    [
      [{ id: 1 }, { minID: 3 }],
      7,
      "minID and maxID should be configured simultaneously, maxID is missing (vlanTrunk[1])",
    ],
    [
      [{ maxID: 3 }],
      7,
      "minID and maxID should be configured simultaneously, minID is missing (vlanTrunk[0])",
    ],
    [[{ minID: 0, maxID: 3 }], 7, "invalid vlanTrunk[0].minID 0 (must be between 1 and 4094)"],
    [[{ minID: 1, maxID: 4095 }], 7, "invalid vlanTrunk[0].maxID 4095 (must be between 1 and 4094)"],
    [[{ minID: 5, maxID: 4 }], 7, "minID is greater than maxID in trunk parameter (5 and 4) (vlanTrunk[0])"],
    [[{ id: 0 }], 7, "invalid vlanTrunk[0].id 0 (must be between 1 and 4094)"],
  ];
  for (const [trunk, code, message] of cases) {
    expect(thrownBy(() => parse(trunk))).toMatchObject({ code, message });
  }
  expect(() => parse([7])).toThrow(/vlanTrunk\[0\]/);
});

const id = fc.integer({ min: 1, max: 4094 });
const item = fc.oneof(
  id.map((one) => ({ id: one })),
  fc.tuple(id, id).map(([a, b]) => ({ minID: Math.min(a, b), maxID: Math.max(a, b) })),
);

test("B6: the ranges are sorted, do not touch each other, and contain exactly the given ids", () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 8 }), (items) => {
      const wanted = new Set<number>();
      for (const each of items) {
        if ("id" in each) wanted.add(each.id);
        else for (let vid = each.minID; vid <= each.maxID; vid++) wanted.add(vid);
      }
      const ranges = parse(items) ?? [];
      const got: number[] = [];
      for (const { first, last } of ranges) for (let vid = first; vid <= last; vid++) got.push(vid);
      expect(got).toEqual([...wanted].sort((a, b) => a - b));
      for (const [index, range] of ranges.entries()) {
        const next = ranges[index + 1];
        if (next !== undefined) expect(next.first).toBeGreaterThan(range.last + 1);
      }
    }),
  );
});

test("B15: the VLANs of a port", () => {
  const plan = (vlan: number, trunk: { first: number; last: number }[]) =>
    plannedVlans({ vlan, trunk, preserveDefaultVlan: false });
  expect(plan(0, [])).toEqual([]);
  const access = (vid: number) => ({ vid, pvid: true, untagged: true });
  expect(plan(5, [])).toEqual([access(5)]);
  expect(
    plan(0, [
      { first: 3, last: 3 },
      { first: 7, last: 9 },
    ]),
  ).toEqual([access(1), { vid: 3 }, { vid: 7, end: 9 }]);
  // The untagged VLAN stays untagged, wherever it is in the trunk.
  expect(plan(8, [{ first: 7, last: 9 }])).toEqual([access(8), { vid: 7 }, { vid: 9 }]);
  expect(plan(7, [{ first: 7, last: 9 }])).toEqual([access(7), { vid: 8, end: 9 }]);
  expect(plan(9, [{ first: 7, last: 9 }])).toEqual([access(9), { vid: 7, end: 8 }]);
  expect(plan(8, [{ first: 8, last: 8 }])).toEqual([access(8)]);
  expect(plan(0, [{ first: 1, last: 4094 }])).toEqual([access(1), { vid: 2, end: 4094 }]);
});
