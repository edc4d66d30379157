/** CHECK and STATUS of IPv4 with ipMasq, and ADD and DEL of loopback, beside ten standing attachments. */
import { addAndDel, addNamespaces, MASQUERADE, MEASURED, pluginCall } from "../attachment.ts";
import { type BenchCase, type Contender, type Step, sidesOf, untimed } from "../case.ts";
import { stand } from "../standing.ts";

const STANDING = 10;

const ofCommand = (name: string, title: string, steps: (folder: string) => readonly Step[]): BenchCase => ({
  ...{ name, title, seconds: 20, rounds: 40, quickRounds: 8, census: true },
  open: async ({ programs, host }) => {
    const contenders: Contender[] = [];
    for (const [side, folder] of sidesOf(programs, "with copies")) {
      const place = await host(side);
      await addNamespaces(place, "measured", 1);
      await stand(place, { folder, shape: MASQUERADE }, STANDING);
      contenders.push({ side, variant: "", host: place, steps: steps(folder) });
    }
    return contenders;
  },
});

const call = (command: string, folder: string, more: { version?: string; prevResult?: string } = {}) =>
  pluginCall(command, { ...{ folder, shape: MASQUERADE, number: MEASURED, netns: "measured0" }, ...more });

export const COMMANDS: readonly BenchCase[] = [
  ofCommand("check", "CHECK, IPv4 + ipMasq", (folder) => {
    const [add, del] = addAndDel({ folder, shape: MASQUERADE });
    const check: Step = {
      name: "CHECK",
      programs: ({ result }) => [call("CHECK", folder, { prevResult: result })],
    };
    return [untimed(add), check, untimed(del)];
  }),
  ofCommand("status", "STATUS, IPv4 + ipMasq", (folder) => [
    { name: "STATUS", programs: () => [call("STATUS", folder, { version: "1.1.0" })] },
  ]),
  ofCommand("loopback", "loopback", (folder) =>
    addAndDel({ folder, plugin: "loopback", shape: { name: "loopback", config: {} } }),
  ),
];
