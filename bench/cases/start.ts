/** What it takes to start: VERSION. */
import { type BenchCase, sidesOf } from "../case.ts";

export const VERSION: BenchCase = {
  name: "version",
  title: "VERSION",
  seconds: 10,
  rounds: 100,
  quickRounds: 20,
  census: true,
  open: async ({ programs, host }) => {
    const place = await host("start");
    return sidesOf(programs, "with copies").map(([side, folder]) => ({
      ...{ side, variant: "", host: place },
      steps: [
        {
          name: "VERSION",
          programs: () => [
            {
              argv: [`${folder}/bridge`],
              env: { CNI_COMMAND: "VERSION" },
              stdin: '{"cniVersion":"1.0.0"}',
            },
          ],
        },
      ],
    }));
  },
};
