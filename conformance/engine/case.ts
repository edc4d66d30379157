/** A case: what both sides go through, each on a host of its own. */
import type { Bench, CallOptions } from "./bench.ts";
import type { JsonRecord } from "./network.ts";

export interface Case {
  readonly name: string;
  /** Names of network namespaces, each a container. */
  readonly containers: readonly string[];
  /** Whether the two sides are compared: not where chance decides who comes first. */
  readonly compared: boolean;
  /** Whether it takes seconds: it is begun first. */
  readonly slow: boolean;
  readonly run: (bench: Bench) => Promise<void>;
}

export type CaseOptions = Partial<Pick<Case, "containers" | "compared" | "slow">>;

export const defineCase = (name: string, options: CaseOptions, run: Case["run"]): Case => ({
  name,
  containers: ["c1"],
  compared: true,
  slow: false,
  ...options,
  run,
});

/** A call of a plugin: CNI_COMMAND, standard input, and what is not as usual. */
export interface CallStep {
  readonly command: string | undefined;
  readonly stdin: JsonRecord | string;
  /** `after` is the label of the step whose result becomes the configuration's prevResult. */
  readonly options: Omit<CallOptions, "after"> & { readonly after?: string };
}

/** Something else happens to the host: a shell script. What it prints is compared. */
interface ChangeStep {
  readonly label: string;
  readonly script: string;
}

export type Step = CallStep | ChangeStep;

export const call = (
  command: string | undefined,
  stdin: JsonRecord | string,
  options: CallStep["options"] = {},
): CallStep => ({ command, stdin, options });

export const change = (label: string, script: string): ChangeStep => ({ label, script });

/**
 * A case that is a list of steps. The state is compared before and after each of them, or only after the calls; or, for
 * long rows of calls that must change nothing, before the first and after the last.
 */
export const stepsCase = (
  name: string,
  steps: readonly Step[],
  { stateAfter = "each", ...options }: CaseOptions & { readonly stateAfter?: "each" | "calls" | "last" } = {},
): Case =>
  defineCase(name, options, async (bench) => {
    const answers = new Map<string, Awaited<ReturnType<Bench["call"]>>>();
    if (stateAfter !== "calls") await bench.look("before");
    for (const [index, step] of steps.entries()) {
      if ("script" in step) await bench.change(step.label, step.script);
      else {
        const { command, stdin, options } = step;
        const { after, label = command ?? "about", ...rest } = options;
        const earlier = after === undefined ? undefined : answers.get(after);
        const answer = await bench.call(command, stdin, {
          ...rest,
          label,
          ...(earlier !== undefined && { after: earlier }),
        });
        answers.set(label, answer);
      }
      if (
        stateAfter === "each" ||
        index === steps.length - 1 ||
        (stateAfter === "calls" && !("script" in step))
      )
        await bench.look();
    }
  });

/** A container's life: ADD, CHECK, DEL and a second DEL, each with the result of ADD as runtimes give it. */
export const life = (
  name: string,
  config: JsonRecord,
  { before = [], ...rest }: CallStep["options"] & { readonly before?: readonly Step[] } = {},
): Case =>
  stepsCase(name, [
    ...before,
    call("ADD", config, rest),
    call("CHECK", config, { ...rest, after: "ADD" }),
    call("DEL", config, { ...rest, after: "ADD" }),
    call("DEL", config, { ...rest, after: "ADD", label: "DEL again" }),
  ]);
