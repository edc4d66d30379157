/** ADD and DEL of IPv4 with ipMasq beside more and more standing attachments. */
import {
  addAndDel,
  addNamespaces,
  MASQUERADE,
  MASQUERADE_NFTABLES,
  pluginsOf,
  type Shape,
} from "../attachment.ts";
import type { BenchCase, Contender } from "../case.ts";
import { stand } from "../standing.ts";
import { floorBeside } from "./floor.ts";

const beside = (name: string, shape: Shape, fullOnly: boolean): BenchCase => ({
  name,
  title: `${shape.name}, beside standing attachments`,
  rounds: 20,
  quickRounds: 5,
  fullOnly,
  open: async (surroundings) => {
    const { programs, quick, host } = surroundings;
    const contenders: Contender[] = [];
    for (const size of quick ? [10, 2000] : [10, 100, 500, 2000]) {
      const variant = `${size.toLocaleString("en")} attachments`;
      for (const side of ["ours", "reference"] as const) {
        const folder = pluginsOf(programs, side);
        const place = await host(`${side}-${size}`);
        await addNamespaces(place, "measured", 1);
        await stand(place, { folder, shape }, size);
        contenders.push({ side, variant, size, host: place, steps: addAndDel({ folder, shape }) });
      }
      contenders.push(await floorBeside(surroundings, { shape, size, variant }));
    }
    return contenders;
  },
});

export const STANDING: readonly BenchCase[] = [
  beside("standing", MASQUERADE, false),
  beside("standing-nftables", MASQUERADE_NFTABLES, true),
];
