/** The C program that does the kernel work of an ADD and nothing else, as a contender. */
import { addNamespaces, MEASURED, NETWORK, pluginCall, type Shape } from "../attachment.ts";
import type { Contender, Step, Surroundings } from "../case.ts";
import { stand } from "../standing.ts";

/** An address that no allocator comes to in this run. */
const ADDRESS = "10.1.200.200";

/**
 * ADD by the floor, without masquerading whatever the shape of those that stand beside; DEL by ours, which isn't
 * measured. @throws Error when our CHECK does not accept the floor's ADD.
 */
export async function floorBeside(
  { programs, host }: Surroundings,
  beside: {
    readonly shape: Shape;
    readonly count: number;
    readonly ports?: number;
    readonly variant: string;
    readonly size?: number;
  },
): Promise<Contender> {
  const folder = programs.plugins.bun;
  const { shape, count, ports, variant, size } = beside;
  const place = await host(`floor-${count}-${ports}`);
  await addNamespaces(place, "measured", 1);
  await stand(place, { folder, shape }, count, ports);
  const plain: Shape = { name: "floor", config: { ...shape.config, ipMasq: false } };
  const call = (command: string, prevResult?: string) =>
    pluginCall(command, {
      ...{ folder, shape: plain, number: MEASURED, netns: "measured0" },
      ...(prevResult === undefined ? {} : { prevResult }),
    });
  const add = {
    argv: [programs.floor, "cni0", NETWORK, ADDRESS, "10.1.0.1"],
    env: call("ADD").env ?? {},
  };
  const [added] = (await place.time([add])).calls;
  await place.time([call("CHECK", added?.stdout ?? "")]);
  await place.time([call("DEL")]);
  const steps: Step[] = [
    { name: "ADD", programs: () => [add] },
    { name: "DEL", programs: () => [call("DEL")], untimed: true },
  ];
  return { side: "floor", variant, host: place, steps, ...(size === undefined ? {} : { size }) };
}
