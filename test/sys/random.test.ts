import { expect, test } from "bun:test";
import { randomBelow, randomBytes } from "../../src/sys/random.ts";

test("randomBytes: as many as asked for, all of them filled, others each time", () => {
  expect(randomBytes(6).length).toBe(6);
  expect(randomBytes(32)).not.toEqual(randomBytes(32));
  // A byte that stays 0 in a hundred draws was not filled.
  const seen = new Uint8Array(256);
  for (let draw = 0; draw < 100; draw++) {
    const bytes = randomBytes(256);
    for (const [index, byte] of bytes.entries()) seen[index] = (seen[index] ?? 0) | byte;
  }
  expect(seen.includes(0)).toBe(false);
});

test("randomBelow: every number below the limit, and no other", () => {
  const seen = new Set<number>();
  for (let draw = 0; draw < 1000; draw++) seen.add(randomBelow(7));
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(randomBelow(1)).toBe(0);
});
