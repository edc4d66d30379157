/** What it takes to start: VERSION beside the reference and beside a compiled "hello". */
import { pluginsOf } from "../attachment.ts";
import type { BenchCase, Contender, Side } from "../case.ts";

export const VERSION: BenchCase = {
  name: "version",
  title: "VERSION",
  rounds: 100,
  quickRounds: 20,
  census: true,
  open: async ({ programs, host }) => {
    const place = await host("start");
    const contender = (side: Side, argv: readonly string[]): Contender => ({
      ...{ side, variant: "", host: place },
      steps: [
        {
          name: "VERSION",
          programs: () => [{ argv, env: { CNI_COMMAND: "VERSION" }, stdin: '{"cniVersion":"1.0.0"}' }],
        },
      ],
    });
    return [
      contender("ours", [`${pluginsOf(programs, "ours")}/bridge`]),
      contender("reference", [`${pluginsOf(programs, "reference")}/bridge`]),
      contender("hello", [programs.hello]),
    ];
  },
};
