/** From two observations of a case to the differences between them. */
import { Aliases } from "./aliases.ts";
import { type ErrorObject, messageOf } from "./answer.ts";
import { classOf, EXACT, holdsWords } from "./messages.ts";
import type { Observation, Problem, StepObservation } from "./observation.ts";
import { ORDER, stateTree } from "./state-tree.ts";
import { ABSENT, type Difference, differences, type Tree, treeOf } from "./tree.ts";

/** One step as both sides went through it. */
export interface ComparedStep {
  /** The name of the case. */
  readonly name: string;
  /** Labels of all steps of the case, in order. */
  readonly labels: readonly string[];
  readonly step: StepObservation;
  readonly reference: Tree;
  readonly ours: Tree;
  readonly differences: readonly Difference[];
  /** Our state before the step. */
  readonly oursBefore: Tree;
}

/** The steps of a case, but for those from which on the two hosts are not alike. */
export function compare(name: string, reference: Observation, ours: Observation): ComparedStep[] {
  const [a, b] = [treesOf(reference), treesOf(ours)];
  const labels = ours.steps.map(({ label }) => label);
  const parted = reference.problems.find(isParting)?.steps ?? Number.POSITIVE_INFINITY;
  const compared: ComparedStep[] = [];
  let oursBefore: Tree = {};
  for (const [index, step] of ours.steps.entries()) {
    const theirs = a.get(step.label);
    const mine = b.get(step.label) ?? {};
    if (index + 1 >= parted) break;
    const found = isBroken(step.label, reference) ? [] : differences(theirs ?? ABSENT, mine);
    const told = withoutConsequences(found).filter((difference) => !isSameMessage(difference));
    compared.push({ name, labels, step, reference: theirs ?? {}, ours: mine, differences: told, oursBefore });
    if ("host" in mine) oursBefore = mine;
  }
  return compared;
}

/** Breaches that leave the rest of the answer comparable. */
const SLIGHT = /: A17: the error has no cniVersion$|: code 999 instead of /;
/** Breaches by what is printed: they end with the call. */
const IN_WORDS = /: (does not say |details are |code \S+ instead of |A(9|1[0-57-9]|2\d): )/;

/** Whether the reference went another way there: from then on the two hosts are not alike. */
const isParting = ({ text }: Problem): boolean => !SLIGHT.test(text) && !IN_WORDS.test(text);

/** Whether the reference's answer to a call breaks a rule, so that there is nothing to compare. */
const isBroken = (label: string, { problems }: Observation): boolean =>
  problems.some(({ text }) => text.startsWith(`${label}: `) && !SLIGHT.test(text));

/** The order of rules says nothing where the rules themselves differ. */
export const withoutConsequences = (found: readonly Difference[]): Difference[] =>
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

/** What one side did, by label, with the aliases of that side. */
export function treesOf({ steps }: Pick<Observation, "steps">): ReadonlyMap<string, Tree> {
  const aliases = new Aliases();
  return new Map(
    steps.map(({ label, exitCode, stdout, stderr, state }) => {
      if (state !== undefined) aliases.learn(state);
      const after = state === undefined ? {} : stateTree(state, aliases);
      const about =
        stderr === undefined
          ? {}
          : {
              stderr: aliases.text(stderr.replace(/ plugin (version unknown|v[\d.]\S*)/, " plugin VERSION")),
            };
      return [label, { exit: exitCode, ...printed(exitCode, aliases.text(stdout)), ...about, ...after }];
    }),
  );
}

function printed(exitCode: number, text: string): Tree {
  if (text === "") return {};
  try {
    const document = JSON.parse(text) as Record<string, unknown>;
    if (exitCode === 0) return { stdout: treeOf(document) };
    const { msg, details, ...rest } = document;
    return { error: treeOf({ ...rest, message: messageOf({ msg, details } as ErrorObject) }) };
  } catch {
    return { stdout: text };
  }
}
