/**
 * Fuzzes every layer that takes input from outside. Each run has another seed, which is told with what was found; the
 * same again: FUZZ_SEED=N, and FUZZ_CASES for more. `npm run faults -- fuzz` does a million.
 */
import { expect, test } from "bun:test";
import { CNI_LAYERS } from "./cni-layers.ts";
import { KERNEL_LAYERS } from "./kernel-layers.ts";
import { fuzz } from "./layer.ts";

const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const cases = Number(process.env.FUZZ_CASES ?? 4000);

for (const layer of [...CNI_LAYERS, ...KERNEL_LAYERS]) {
  test(`${layer.name}: refused in our words or taken, never anything else`, async () => {
    const found = await fuzz(layer, seed, cases);
    console.log(`${layer.name}: seed ${seed}, ${cases} tried, ${found.length} found`);
    expect(found).toEqual([]);
  });
}
