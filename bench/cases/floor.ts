/** The C program that does the kernel work of an ADD and nothing else, as a contender of the case IPv4. */
import { addNamespaces, IPV4_PLAIN, MEASURED, NETWORK, pluginCall } from "../attachment.ts";
import type { BenchCase, Contender, Step } from "../case.ts";
import { stand } from "../standing.ts";

const STANDING = 10;

/** An address that no allocator comes to in this run. */
const ADDRESS = "10.1.200.200";

/** ADD by the floor, DEL by ours, which isn't measured. @throws Error when our CHECK does not accept the floor's ADD. */
export const floorBeside: BenchCase["open"] = async ({ programs, host }) => {
  const folder = programs.ours;
  const place = await host("floor");
  await addNamespaces(place, "measured", 1);
  await stand(place, { folder, shape: IPV4_PLAIN }, STANDING);
  const call = (command: string, prevResult?: string) =>
    pluginCall(command, {
      ...{ folder, shape: IPV4_PLAIN, number: MEASURED, netns: "measured0" },
      ...(prevResult === undefined ? {} : { prevResult }),
    });
  const add = {
    argv: [programs.floor, "cni0", NETWORK, ADDRESS, "10.1.0.1"],
    env: call("ADD").env ?? {},
  };
  const steps: Step[] = [
    { name: "ADD", programs: () => [add] },
    { name: "DEL", programs: () => [call("DEL")], untimed: true },
  ];
  const [added] = (await place.time([add])).calls;
  await place.time([call("CHECK", added?.stdout ?? "")]);
  await place.time([call("DEL")]);
  const floor: Contender = { side: "floor", variant: "", host: place, steps };
  return [floor];
};
