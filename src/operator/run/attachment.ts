/** The attachment that the words of `run` name, with what a runtime gives for it: paths, CNI_ARGS, capabilities. */
import { sha512 } from "#engine";
import type { Attachment } from "../../cni/attachment.ts";
import { ifnameProblem } from "../../cni/environment.ts";
import { isIdentifier } from "../../cni/identifier.ts";
import type { Document } from "../../schema/keys.ts";
import { readLink } from "../../sys/file.ts";
import type { CachedAttachment } from "../cache.ts";
import { CommandError, exitCode } from "../exit-codes.ts";

/** What the plugins get of an attachment. */
export interface Target extends Attachment {
  /** CNI_NETNS; "" when DEL does not know it. */
  readonly netns: string;
  /** Pairs of CNI_ARGS. */
  readonly cniArgs: readonly (readonly string[])[];
  readonly capabilityArgs: Document;
}

/** What was given on the command line and in the environment. */
export interface Given {
  readonly network: string;
  readonly netns: string | undefined;
  readonly id: string | undefined;
  readonly ifname: string;
  /** CNI_ARGS; "" if it is not set. */
  readonly args: string;
  readonly capabilityArgs: Document;
}

/** The attachment that is meant, without what the cache knows of it. @throws CommandError */
export function targetOf({ network, netns, id, ifname, args, capabilityArgs }: Given): Target {
  const path = netns === undefined ? "" : absolute(netns, () => readLink("/proc/self/cwd"));
  const containerId = id ?? idOf(path);
  if (!isIdentifier(containerId))
    throw wrong(
      `--id ${JSON.stringify(containerId)} is not a container id: use letters, digits, "_", "." and "-"`,
    );
  if (ifname === "" || ifnameProblem(ifname) !== undefined)
    throw wrong(
      `--ifname ${JSON.stringify(ifname)} is not the name of an interface: use 1 to 15 bytes without "/", ":" and white space`,
    );
  return { network, containerId, ifname, netns: path, cniArgs: pairsOf(args), capabilityArgs };
}

/**
 * The same with what ADD had got, by the cache: CHECK and DEL are called with that, as runtimes call them. What is given now
 * replaces it.
 */
export const withCached = (target: Target, cached: CachedAttachment | undefined): Target =>
  cached === undefined
    ? target
    : {
        ...target,
        netns: target.netns === "" ? (cached.netns ?? "") : target.netns,
        cniArgs: target.cniArgs.length === 0 ? cached.cniArgs : target.cniArgs,
        capabilityArgs: { ...cached.capabilityArgs, ...target.capabilityArgs },
      };

/** The id that cnitool gives a container: of the path, so that each finds what the other has added. */
const idOf = (netns: string): string => `cnitool-${sha512(netns).slice(0, 20)}`;

/** As filepath.Abs of Go: absolute, without "." and "..", by the letters alone. */
export function absolute(path: string, workingDirectory: () => string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${workingDirectory()}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** "K=V;K=V". @throws CommandError */
function pairsOf(args: string): string[][] {
  if (args === "") return [];
  return args.split(";").map((text) => {
    const pair = text.split("=");
    if (pair.length === 2 && !pair.includes("")) return pair;
    throw wrong(`CNI_ARGS has ${JSON.stringify(text)}: write KEY=VALUE;KEY=VALUE`);
  });
}

const wrong = (message: string): CommandError => new CommandError(exitCode.wrongUse, message);
