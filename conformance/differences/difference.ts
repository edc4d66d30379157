/** A difference between the Go plugins and ours that README tells, with the measurement that shows it. */
import type { NamedNamespace } from "../../test/support/scratch-host.ts";
import type { Answer } from "../engine/answer.ts";
import type { Bench, CallOptions } from "../engine/bench.ts";
import { hostLocal, type JsonRecord, layer2 } from "../engine/network.ts";

/** What one side does, in a few facts. Every fact is looked up with other programs, or is what the plugin printed. */
export type Facts = Readonly<Record<string, Fact>>;
type Fact = string | number | boolean | readonly string[];

export interface Difference {
  /** The first column of README's table. */
  readonly what: string;
  /** Whether it takes many seconds. */
  readonly slow?: true;
  /** Does the same on each side, on a scratch host that has nothing yet. */
  measure(bench: Bench): Promise<Facts>;
  /** What must come out. Where the two have equal facts, it is no difference. */
  readonly shows: Readonly<Record<string, readonly [go: Fact, ours: Fact]>>;
}

export interface Result {
  readonly interfaces?: readonly { readonly name: string; readonly mac?: string; readonly mtu?: number }[];
  readonly ips?: readonly { readonly address: string }[];
}

/** An `ipam` of host-local with one set for each subnet. */
export const ipam = (subnets: readonly string[] = ["10.1.0.0/24"], keys: JsonRecord = {}): JsonRecord =>
  hostLocal(subnets, keys);

/** A network of the bridge plugin, with host-local and no other key. */
export const network = (keys: JsonRecord = {}): JsonRecord => layer2({ ipam: ipam(), ...keys });

/** The result of an ADD that must succeed. */
export async function add(bench: Bench, config: JsonRecord, options?: CallOptions): Promise<Result> {
  const answer = await bench.call("ADD", config, options);
  if (answer.exitCode !== 0) throw new Error(`ADD by ${bench.who}: ${answer}`);
  return answer.json<Result>();
}

/** Ends a container as a crash does: without a DEL. Its pair goes with it, here at once. */
export async function crash({ host }: Bench, container: NamedNamespace): Promise<void> {
  await container.run("ip link del eth0");
  await host.run(`ip netns delete ${container.name}`);
}

/** "succeeds" or "fails", without the text. */
export const whether = ({ exitCode }: Answer): string => (exitCode === 0 ? "succeeds" : "fails");

/** The same with the text of the error. */
export const endOf = (answer: Answer): string =>
  answer.exitCode === 0 ? "succeeds" : `fails: ${answer.message}`;
