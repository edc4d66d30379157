/** Calls of the plugins of a scenario, as a runtime makes them. */
import { readFileSync, rmSync } from "node:fs";
import { type Outcome, outcomeOf } from "../support/command.ts";
import { environmentOf } from "../support/plugin-call.ts";
import { startRecording, stopRecording, TRAPPED_CNI_PATH, takeTraces, WORK } from "./children.ts";
import { NEIGHBOUR, NETWORK, portsOf, type Scenario, SUBJECT } from "./scenario.ts";

/** A call of the plugin under strace. */
export interface Traced extends Outcome {
  readonly trace: string;
  readonly milliseconds: number;
}

interface OneCall {
  readonly prevResult?: string | undefined;
  readonly netns?: string;
  readonly strace?: readonly string[] | undefined;
}

export interface CallOptions extends Omit<OneCall, "strace"> {
  /** Only the plugins that ADD calls before this one. */
  readonly before?: string;
  /** What is done to one plugin of the chain: right before its call, to it by strace, and after it. */
  readonly at?: {
    readonly plugin: string;
    readonly strace?: readonly string[];
    readonly before?: () => Promise<void>;
    readonly after?: () => void;
  };
}

/** The outcome of no call. */
const NO_CALL: Traced = { command: "", exitCode: 0, stdout: "", stderr: "", trace: "", milliseconds: 0 };

export class Calls {
  readonly scenario: Scenario;
  readonly #binaries: string;
  /** The reference's calls are spread over threads, ours are all made by the first. */
  readonly #threads: boolean;

  constructor(scenario: Scenario, options: { readonly binaries: string; readonly reference: boolean }) {
    this.scenario = scenario;
    this.#binaries = options.binaries;
    this.#threads = options.reference;
  }

  /**
   * Calls the plugins as a runtime does: DEL in reverse, each with the result of the one before, and none after a failure.
   * Gives the outcome of the last one that ran. `netns` replaces the container's path.
   */
  async call(command: string, id: string, options: CallOptions = {}): Promise<Traced> {
    const { at, before } = options;
    const all = this.scenario.chain;
    const end = before === undefined ? all.length : all.findIndex(({ type }) => type === before);
    const chain = command === "DEL" ? all.slice(0, end).toReversed() : all.slice(0, end);
    let last: Traced = { ...NO_CALL };
    let { prevResult } = options;
    let trace = "";
    for (const plugin of chain) {
      const isHere = at?.plugin === plugin.type;
      if (isHere) await at?.before?.();
      const strace = isHere ? at?.strace : undefined;
      last = await this.#callOne(plugin, command, id, { ...options, prevResult, strace });
      if (isHere) at?.after?.();
      trace += last.trace;
      if (last.exitCode !== 0) break;
      if (command === "ADD") prevResult = last.stdout;
    }
    return { ...last, trace };
  }

  /** Calls one plugin, with strace's options under strace. */
  async #callOne(
    plugin: Scenario["chain"][number],
    command: string,
    id: string,
    { prevResult, netns = `/var/run/netns/${id}`, strace }: OneCall,
  ): Promise<Traced> {
    // Never an empty list, which leaves what may live (rule A39).
    const valid = [{ containerID: NEIGHBOUR, ifname: "eth0" }];
    const config = {
      ...{ cniVersion: "1.1.0", name: NETWORK, ...plugin },
      ...(plugin.type === "portmap" && { runtimeConfig: { portMappings: portsOf(id) } }),
      ...(prevResult !== undefined && { prevResult: JSON.parse(prevResult) }),
      ...(command === "GC" && { prevResult: undefined, "cni.dev/valid-attachments": valid }),
    };
    const log = `${WORK}/trace`;
    const follow = this.#threads ? ["-f"] : [];
    const before = strace === undefined ? [] : ["strace", ...follow, "-y", "-s", "64", "-o", log, ...strace];
    const start = performance.now();
    const outcome = await outcomeOf([...before, `${this.#binaries}/${plugin.type}`], {
      env: environmentOf({
        ...(command === "GC" ? { command } : { command, containerId: id, netns, ifname: "eth0" }),
        path: this.scenario.children.includes("host-local") ? TRAPPED_CNI_PATH : this.#binaries,
        env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
      }),
      stdin: JSON.stringify(config),
    });
    const milliseconds = performance.now() - start;
    const trace = strace === undefined ? "" : readFileSync(log, "utf8");
    rmSync(log, { force: true });
    return { ...outcome, trace, milliseconds };
  }

  /** A clean call of the subject with one plugin under strace, with the traces of its children. */
  async record(
    command: string,
    plugin: string,
    prevResult?: string,
  ): Promise<{ trace: string; children: ReturnType<typeof takeTraces> }> {
    // Who follows threads follows children, and a process can have one tracer only.
    const before = async () => {
      if (!this.#threads) startRecording();
    };
    const at = { plugin, strace: [], before, after: stopRecording };
    const run = await this.call(command, SUBJECT, { at, ...(prevResult !== undefined && { prevResult }) });
    if (run.exitCode !== 0) throw new Error(`${command} failed under strace: ${run.stdout}${run.stderr}`);
    return { trace: run.trace, children: takeTraces() };
  }
}
