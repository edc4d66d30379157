/** A fake process, whose streams and environment are values, and fake plugins, which record their calls. */

import { isAnswered } from "../../src/cni/about.ts";
import type { Environment } from "../../src/cni/environment.ts";
import { CniError, toCniError } from "../../src/cni/error.ts";
import type {
  ChildOutcome,
  CommandWithoutResult,
  Delegation,
  Plugin,
  Request,
} from "../../src/cni/plugin.ts";
import { type Host, runPlugin } from "../../src/cni/protocol.ts";
import { emptyResult, type Result } from "../../src/cni/result.ts";
import { type Prefix, parsePrefix } from "../../src/net/prefix.ts";
import { KeyError } from "../../src/schema/key-error.ts";
import { endlessTime } from "../support/call-time.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An environment that is complete for every command. */
export const environmentOf = (command: string, changes: Environment = {}): Environment => ({
  CNI_COMMAND: command,
  CNI_CONTAINERID: "container-1",
  CNI_NETNS: "/var/run/netns/a",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/opt/cni/bin",
  ...changes,
});

/** A configuration that is valid for every command. */
export const configOf = (changes: object = {}): string =>
  JSON.stringify({ cniVersion: "1.1.0", name: "net", type: "fake", ...changes });

export function prefix(text: string): Prefix {
  const value = parsePrefix(text);
  if (value === undefined) throw new Error(`${text} is no prefix`);
  return value;
}

/** A result that every version can express. */
export const someResult = (): Result => ({ ...emptyResult(), ips: [{ address: prefix("10.1.0.2/24") }] });

/** What a plugin does for each command; nothing if it is absent. */
export interface Behaviour {
  add?(request: Request): Promise<Result>;
  check?(request: Request): Promise<void>;
  del?(request: Request): Promise<void>;
  gc?(request: Request): Promise<void>;
  status?(request: Request): Promise<void>;
}

/** A plugin that records its calls and does what `behaviour` says. */
export class FakePlugin implements Plugin {
  readonly name: string;
  readonly kind: Plugin["kind"];
  readonly requests: Request[] = [];
  readonly #behaviour: Behaviour;

  constructor(behaviour: Behaviour = {}, name = "fake", kind: Plugin["kind"] = "interface") {
    this.kind = kind;
    this.name = name;
    this.#behaviour = behaviour;
  }

  async add(request: Request): Promise<Result> {
    this.requests.push(request);
    return (await this.#behaviour.add?.(request)) ?? someResult();
  }

  async run(command: CommandWithoutResult, request: Request): Promise<void> {
    this.requests.push(request);
    const name = command.toLowerCase() as Lowercase<CommandWithoutResult>;
    await this.#behaviour[name]?.(request);
  }

  /** Commands in the order in which they ran. */
  get commands(): string[] {
    return this.requests.map((request) => request.command);
  }
}

/** A delegation that finds no executable. */
export const noDelegation: Delegation = {
  isExecutable: () => false,
  builtIn: () => undefined,
  run: () => {
    throw new Error("nothing to run");
  },
};

export const outcome = (exitCode: number, stdout = "", stderr = ""): ChildOutcome => ({
  exitCode,
  stdout: bytes(stdout),
  stderr: bytes(stderr),
});

/** Output and exit code of a call. `error` is the error object on stdout, undefined if there is none. */
export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdinReads: number;
  readonly error: { cniVersion: string; code: number; msg: string; details?: string } | undefined;
}

/** Runs a plugin with an environment and stdin. */
export async function call(
  plugin: Plugin,
  environment: Environment,
  stdin: string | Uint8Array,
  host: Partial<Host> = {},
): Promise<Answer> {
  let stdout = "";
  let stderr = "";
  let stdinReads = 0;
  const streams: Pick<Host, "environment" | "stdout" | "stderr"> = {
    environment,
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  };
  if (isAnswered(plugin.name, "1.2.3", { ...streams, ...host }))
    return { exitCode: 0, stdout, stderr, stdinReads, error: undefined };
  const exitCode = await runPlugin(plugin, {
    ...streams,
    readStdin() {
      stdinReads++;
      return typeof stdin === "string" ? bytes(stdin) : stdin;
    },
    isOwnNetns: () => false,
    delegation: noDelegation,
    time: endlessTime,
    ...host,
  });
  return { exitCode, stdout, stderr, stdinReads, error: exitCode === 0 ? undefined : JSON.parse(stdout) };
}

/** The CniError that `action` throws, or that its KeyError becomes; anything else is a failure of the test. */
export function thrownBy(action: () => unknown): CniError {
  try {
    action();
  } catch (error) {
    if (error instanceof CniError || error instanceof KeyError) return toCniError(error);
    throw error;
  }
  throw new Error("nothing was thrown");
}
