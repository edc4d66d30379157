/** Chains of plugins as runtimes have them: each plugin is called with the result of the one before it. */
import { type CallOptions, MEASURED, pluginCall, type Shape } from "./attachment.ts";
import type { Memory, Part, Step } from "./case.ts";
import type { BenchHost } from "./host.ts";

/** A plugin of a chain. */
export interface Plugin {
  readonly plugin: string;
  readonly config: Shape["config"];
}

/** The plugins of an attachment, in the order of ADD. The configurations differ by the attachment's number. */
export interface Chain {
  readonly name: string;
  readonly plugins: (number: number) => readonly [Plugin, ...Plugin[]];
}

/** Which chain is called, by whose plugins, for which attachment. */
export interface ChainOptions extends Pick<CallOptions, "folder" | "number" | "netns"> {
  readonly chain: Chain;
}

/** portmap as a runtime calls it that publishes so many ports; attachments publish different ones. */
export const portmap = (number: number, ports: number): Plugin => ({
  plugin: "portmap",
  config: {
    capabilities: { portMappings: true },
    runtimeConfig: {
      portMappings: Array.from({ length: ports }, (_, index) => ({
        ...{ hostPort: firstPort(number) + index, containerPort: 8080 + index, protocol: "tcp" },
      })),
    },
  },
});

/** The host's ports of the measured attachment come before those of the others, which publish one each. */
export const firstPort = (number: number): number => (number === MEASURED ? 9000 : 10_000 + number);

/** The list that nerdctl writes for a network. */
export const ofNerdctl = (bridge: Shape, ports: number): Chain => ({
  name: `bridge, portmap, firewall, tuning: ${bridge.name}, ${portsText(ports)}`,
  plugins: (number) => [
    { plugin: "bridge", config: { ...bridge.config, hairpinMode: true } },
    portmap(number, ports),
    { plugin: "firewall", config: { ingressPolicy: "same-bridge" } },
    { plugin: "tuning", config: {} },
  ],
});

/** The list that containerd's installation writes. */
export const ofContainerd = (bridge: Shape, ports: number): Chain => ({
  name: `bridge, portmap: ${bridge.name}, ${portsText(ports)}`,
  plugins: (number) => [{ plugin: "bridge", config: bridge.config }, portmap(number, ports)],
});

export const portsText = (ports: number): string =>
  ports === 0 ? "no port" : ports === 1 ? "1 port" : `${ports} ports`;

/** ADD, CHECK and DEL of the measured attachment, in a namespace that stays. */
export function chainSteps(options: Pick<ChainOptions, "folder" | "chain">): [Step, Step, Step] {
  const step = (name: string): Step => {
    const [first, ...more] = partsOf(name, { ...options, number: MEASURED, netns: "measured0" });
    if (first === undefined) throw new Error(`${options.chain.name}: a chain without plugins`);
    return { ...first, name, more };
  };
  return [step("ADD"), step("CHECK"), step("DEL")];
}

/** The same, but only the calls of one plugin are measured. */
export function stepsOfPlugin(measured: string, options: Pick<ChainOptions, "folder" | "chain">): Step[] {
  return ["ADD", "CHECK", "DEL"].flatMap((name) =>
    partsOf(name, { ...options, number: MEASURED, netns: "measured0" }).map((part) => ({
      ...part,
      name,
      untimed: part.plugin !== measured,
    })),
  );
}

/** Attaches a container that will stand beside others; the result of its chain. */
export async function addByChain(host: BenchHost, options: ChainOptions): Promise<string> {
  const memory: Memory = { result: "" };
  for (const { programs, keep } of partsOf("ADD", options)) {
    const { calls } = await host.time(programs(memory), 0);
    keep?.([calls[0]?.stdout ?? ""], memory);
  }
  return memory.result;
}

/** Takes it away again. */
export async function delByChain(host: BenchHost, options: ChainOptions, result: string): Promise<void> {
  for (const { programs } of partsOf("DEL", options)) await host.time(programs({ result }), 0);
}

interface PluginPart extends Part {
  readonly plugin: string;
}

/**
 * A call of each plugin. In an ADD each gets the result of the one before; CHECK and DEL get that of the whole chain, as
 * libcni keeps it, and DEL goes backwards.
 */
export function partsOf(command: string, { chain, number, ...options }: ChainOptions): PluginPart[] {
  const parts = chain.plugins(number).map(
    ({ plugin, config }, index): PluginPart => ({
      plugin,
      programs: ({ result }: Memory) => [
        pluginCall(command, {
          ...{ ...options, number, plugin, shape: { name: chain.name, config } },
          ...(command === "ADD" && index === 0 ? {} : { prevResult: result }),
        }),
      ],
      ...(command !== "ADD" ? {} : { keep: keepResult }),
    }),
  );
  return command === "DEL" ? parts.toReversed() : parts;
}

const keepResult: NonNullable<Part["keep"]> = ([output], memory) => {
  memory.result = output ?? "";
};
