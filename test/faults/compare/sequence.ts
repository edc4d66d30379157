/** A row of altered calls about one attachment, and what happens to the host between them. It follows from a seed. */
import { Chance } from "../../fuzz/chance.ts";
import { configuration, environment } from "../../fuzz/cni-layers.ts";
import { CONFIGURATIONS, ENVIRONMENT } from "../../fuzz/documents.ts";
import { mutateBytes, mutateDocument } from "../../fuzz/mutate.ts";
import { objectOf } from "../../support/protocol.ts";
import { confined } from "../fuzz/altered.ts";

export const CONTAINER = "c1";
const PLUGINS = [
  "bridge",
  "bridge",
  "bridge",
  "host-local",
  "static",
  "loopback",
  "firewall",
  "portmap",
  "tuning",
] as const;
/** Those that stand in a chain: their ADD takes the result of the plugin before them. */
const CHAINED: readonly string[] = ["firewall", "portmap", "tuning"];
const COMMANDS = [
  "ADD",
  "ADD",
  "ADD",
  "CHECK",
  "CHECK",
  "DEL",
  "DEL",
  "DEL",
  "GC",
  "STATUS",
  "VERSION",
] as const;

/** Something else that happens to the host before a call. */
type Event = "plant" | "damage the indexes" | "delete the namespace";

export interface SequenceStep {
  readonly command: string;
  readonly plugin: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly before?: Event;
  /** Whether the kernel's state is compared after it, if it succeeds. It is after the last step. */
  readonly looks: boolean;
  /** The configuration, with the result of the last ADD as its prevResult where it takes one. */
  stdin(result: string | undefined): Uint8Array;
  /** The choices of `before`. */
  readonly chance: Chance;
}

/** The calls of a seed: mostly about one attachment of one network, of which each call may alter something. */
export function sequenceOf(seed: number, netns: string, path: string): SequenceStep[] {
  const chance = new Chance(seed);
  const plugin = chance.of(PLUGINS);
  const isWhole = chance.oneIn(2);
  const config = isWhole
    ? new TextEncoder().encode(JSON.stringify(chance.of(CONFIGURATIONS)))
    : configuration(chance);
  const variables: Record<string, string> = isWhole ? { ...ENVIRONMENT } : environment(chance);
  if (!chance.oneIn(3)) delete variables.CNI_ARGS;
  return Array.from({ length: 3 + chance.below(5) }, (_, index): SequenceStep => {
    const command = index === 0 && !chance.oneIn(4) ? "ADD" : chance.of(COMMANDS);
    const own = chance.oneIn(8) ? environment(chance) : { ...variables };
    if (chance.oneIn(12)) own.CNI_NETNS = "";
    else if (own.CNI_NETNS === "/var/run/netns/a") own.CNI_NETNS = netns;
    if (own.CNI_PATH === "/opt/cni/bin") own.CNI_PATH = path;
    if (!chance.oneIn(20)) own.CNI_COMMAND = command;
    if (["GC", "STATUS"].includes(command) && !chance.oneIn(3)) delete own.CNI_CONTAINERID;
    const base = chance.oneIn(8) ? configuration(chance) : config;
    const alteration = new Chance(seed * 8 + index);
    const event = chance.below(60);
    const before = ["plant", "plant", "damage the indexes", "delete the namespace"][event] as
      | Event
      | undefined;
    const called = chance.oneIn(12) ? chance.of(PLUGINS) : chance.oneIn(4) ? chance.of(CHAINED) : plugin;
    const takesResult = command !== "ADD" || CHAINED.includes(called);
    return {
      command: own.CNI_COMMAND ?? "none",
      plugin: called,
      variables: own,
      ...(before !== undefined && { before }),
      looks: chance.oneIn(3),
      stdin: (result) => confined(altered(alteration, base, command, takesResult ? result : undefined)),
      chance: new Chance(seed * 8 + index),
    };
  });
}

/** The configuration as a runtime would extend it for this call, or nearly so. */
function altered(chance: Chance, base: Uint8Array, command: string, result: string | undefined): Uint8Array {
  const config = objectOf(new TextDecoder().decode(base));
  if (config === undefined) return base;
  const prevResult = result === undefined ? undefined : objectOf(result);
  if (prevResult !== undefined && !chance.oneIn(5))
    config.prevResult = chance.oneIn(4) ? mutateDocument(chance, prevResult, 1) : prevResult;
  const attachments = [{ containerID: "container-1", ifname: "eth0" }];
  if (command === "GC" && chance.oneIn(2))
    config["cni.dev/valid-attachments"] = chance.oneIn(2) ? [] : attachments;
  const document = chance.oneIn(10) ? mutateDocument(chance, config, 1) : config;
  const text = new TextEncoder().encode(JSON.stringify(document));
  return chance.oneIn(30) ? mutateBytes(chance, text) : text;
}
