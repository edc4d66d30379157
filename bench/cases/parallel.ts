/** Many ADDs of IPv4 with ipMasq at once, then as many DELs: what is measured is the time until the last has ended. */
import { addNamespaces, MASQUERADE, pluginCall } from "../attachment.ts";
import { type BenchCase, type Contender, type Step, sidesOf } from "../case.ts";
import { stand } from "../standing.ts";

const FIRST = 1_000_000;
const STANDING = 10;

export const PARALLEL: BenchCase = {
  name: "parallel",
  title: "IPv4 + ipMasq, at once",
  seconds: 120,
  rounds: 10,
  quickRounds: 3,
  open: async ({ programs, quick, host }) => {
    const contenders: Contender[] = [];
    for (const size of quick ? [1, 16] : [1, 4, 16, 64]) {
      for (const [side, folder] of sidesOf(programs, "without copies")) {
        const place = await host(`${side}-${size}`);
        await addNamespaces(place, "measured", size);
        await stand(place, { folder, shape: MASQUERADE }, STANDING);
        const step = (command: string): Step => ({
          name: command,
          programs: () =>
            Array.from({ length: size }, (_, index) =>
              pluginCall(command, {
                ...{ folder, shape: MASQUERADE, number: FIRST + index, netns: `measured${index}` },
              }),
            ),
        });
        const variant = `${size} at once`;
        contenders.push({ side, variant, size, host: place, steps: [step("ADD"), step("DEL")] });
      }
    }
    return contenders;
  },
};
