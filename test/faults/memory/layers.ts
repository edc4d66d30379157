/** The program of ../memory.ts: `layers SEED COUNT` tries so many cases of each layer, and prints what it finds. */
import "./stand-ins.ts";
import { begin, print, programArguments } from "#engine";
import { CNI_LAYERS } from "../../fuzz/cni-layers.ts";
import { KERNEL_LAYERS } from "../../fuzz/kernel-layers.ts";
import { fuzz } from "../../fuzz/layer.ts";

begin(async () => {
  const [seed = 0, count = 0] = programArguments().map(Number);
  let tried = 0;
  for (const layer of [...CNI_LAYERS, ...KERNEL_LAYERS]) {
    for (const { seed: at, problem } of await fuzz(layer, seed, count))
      print(2, `${layer.name}, seed ${at}: ${problem}\n`);
    tried += count;
  }
  print(1, `${tried}`);
  return 0;
});
