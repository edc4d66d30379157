/** ADD and DEL of IPv4, with ipMasq and without, beside more and more standing attachments. */
import {
  addAndDel,
  addNamespaces,
  IPV4_PLAIN,
  MASQUERADE,
  MASQUERADE_NFTABLES,
  type Shape,
} from "../attachment.ts";
import { type BenchCase, type Contender, sidesOf } from "../case.ts";
import { stand } from "../standing.ts";
import { floorBeside } from "./floor.ts";

/** How many stand there. `size` is the place in a plot; `ports` is how many share the bridge of the measured one. */
interface Crowd {
  readonly count: number;
  readonly variant: string;
  readonly size?: number;
  readonly ports?: number;
}

const crowd = (count: number): Crowd => ({
  ...{ count, size: count },
  variant: `${count.toLocaleString("en")} attachments`,
});

const ON_ONE_BRIDGE: Crowd = {
  ...{ count: 2000, ports: 1000 },
  variant: "2,000 attachments, 1,000 on the bridge",
};
const ENDS = [10, 2000].map(crowd);
const FULL = [...[10, 100, 500, 2000].map(crowd), ON_ONE_BRIDGE];

/** The kernel checks all rules of a table in each change of it. So there is an attachment without rules beside. */
export const PLAIN = " without ipMasq";

const beside = (name: string, shape: Shape, full: readonly Crowd[], fullOnly: boolean): BenchCase => ({
  name,
  title: `${shape.name}, beside standing attachments`,
  seconds: 40 * full.length,
  rounds: 40,
  quickRounds: 5,
  fullOnly,
  open: async (surroundings) => {
    const { programs, quick, host } = surroundings;
    const contenders: Contender[] = [];
    for (const { count, ports, ...kind } of quick ? ENDS : full) {
      for (const [side, folder] of sidesOf(programs, "without copies")) {
        const place = await host(`${side}-${count}-${ports}`);
        await addNamespaces(place, "measured", 1);
        await stand(place, { folder, shape }, count, ports);
        const steps = [...addAndDel({ folder, shape }), ...addAndDel({ folder, shape: IPV4_PLAIN }, PLAIN)];
        contenders.push({ side, ...kind, host: place, steps });
      }
      contenders.push(
        await floorBeside(surroundings, { shape, count, ...(ports === undefined ? {} : { ports }), ...kind }),
      );
    }
    return contenders;
  },
});

export const STANDING: readonly BenchCase[] = [
  beside("standing", MASQUERADE, FULL, false),
  beside("standing-nftables", MASQUERADE_NFTABLES, ENDS, true),
];
