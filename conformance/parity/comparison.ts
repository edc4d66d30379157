/** From two observations of a case to the differences between them. */
import { Aliases } from "./aliases.ts";
import type { ParityCase, Step } from "./case.ts";
import { classOf, EXACT, holdsWords } from "./messages.ts";
import type { CaseObservation, StepObservation } from "./observation.ts";
import type { RawState } from "./scratch-host.ts";
import { ORDER, stateTree } from "./state-tree.ts";
import { count, type Difference, differences, type Tree, treeOf } from "./tree.ts";

/** One step as both sides went through it. */
export interface ComparedStep {
  readonly parityCase: ParityCase;
  readonly step: Step;
  readonly reference: Tree;
  readonly ours: Tree;
  readonly differences: readonly Difference[];
  /** Our state before the step. */
  readonly oursBefore: Tree;
}

/** The steps of a case, and before them the empty host, which must be the same on both sides. */
export function compare(
  parityCase: ParityCase,
  reference: CaseObservation,
  ours: CaseObservation,
): ComparedStep[] {
  const text = JSON.stringify(parityCase.steps);
  const read = { reference: new TreeReader(text), ours: new TreeReader(text) };
  const before: Step = { kind: "change", label: "before", script: "" };
  const first = [before, read.reference.state(reference.before), read.ours.state(ours.before)] as const;
  const rest = parityCase.steps.map((step, index) => {
    const [a, b] = [reference.steps[index], ours.steps[index]];
    if (a === undefined || b === undefined)
      throw new Error(`${parityCase.name}: step "${step.label}" was not taken`);
    return [step, read.reference.step(step, a), read.ours.step(step, b)] as const;
  });
  return [first, ...rest].map(([step, a, b], index, all) => ({
    parityCase,
    step,
    reference: a,
    ours: b,
    oursBefore: all.slice(0, index).findLast(([, , ours]) => "host" in ours)?.[2] ?? {},
    differences: withoutConsequences(differences(a, b)).filter((found) => !isSameMessage(found)),
  }));
}

/** Number of facts that the reference's side of a step has. */
export const factsOf = (compared: ComparedStep): number => count(compared.reference);

/** The order of rules says nothing where the rules themselves differ. */
const withoutConsequences = (found: readonly Difference[]): Difference[] =>
  found.filter(({ path }) => {
    const chain = path.slice(0, -1).join("\n");
    return (
      path.at(-1) !== ORDER ||
      !found.some((other) => other.path.at(-1) !== ORDER && other.path.slice(0, -1).join("\n") === chain)
    );
  });

const isSameMessage = ({ path, reference, ours }: Difference): boolean =>
  path.join("/") === "error/message" &&
  typeof reference === "string" &&
  typeof ours === "string" &&
  ((holdsWords(reference, ours) && !EXACT.some((text) => text.test(reference))) ||
    classOf(reference, ours) !== undefined);

/** Makes trees of what one side did, with the aliases of that side. */
class TreeReader {
  readonly #aliases: Aliases;

  constructor(literal: string) {
    this.#aliases = new Aliases(literal);
  }

  state(state: RawState): Tree {
    this.#aliases.learn(state);
    return stateTree(state, this.#aliases);
  }

  step(step: Step, { exitCode, stdout, stderr, state }: StepObservation): Tree {
    const after = state === undefined ? {} : this.state(state);
    const printed = this.#printed(exitCode, stdout);
    const about =
      step.kind === "call" && step.comparesStderr
        ? { stderr: stderr.replace(/ plugin (version unknown|v[\d.]\S*)/, " plugin VERSION") }
        : {};
    return { exit: exitCode, ...printed, ...about, ...after };
  }

  #printed(exitCode: number, stdout: string): Tree {
    if (stdout === "") return {};
    const text = this.#aliases.text(stdout);
    try {
      const document = JSON.parse(text) as Record<string, unknown>;
      if (exitCode === 0) return { stdout: treeOf(document) };
      const { msg, details, ...rest } = document;
      const message = details === undefined || details === "" ? String(msg) : `${msg}: ${details}`;
      return { error: treeOf({ ...rest, message }) };
    } catch {
      return { stdout: text };
    }
  }
}
