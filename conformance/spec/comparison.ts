/** What differs between the two sides of a case, in lines. */
import { classOf, holdsWords } from "../parity/messages.ts";
import { type Difference, describe, describePath, differences, type Tree } from "../parity/tree.ts";
import type { SpecCase } from "./case.ts";
import type { Observation } from "./observation.ts";
import type { State } from "./state.ts";

/** What the reference breaks, and what is not the same on both sides although it breaks nothing. */
export function differencesOf(
  { compared, still }: SpecCase,
  reference: Observation,
  ours: Observation,
): string[] {
  const breaches = reference.problems.map(({ text }) => `reference: ${normal(text)}`);
  if (!compared) return breaches;
  const parted = partingOf(reference);
  return [
    ...breaches,
    ...factDifferences(reference, ours, parted),
    // Where nothing may change, what did is among the breaches.
    ...(still || parted !== undefined ? [] : stateDifferences(reference.state, ours.state)),
  ];
}

/** Breaches that leave the rest of the answer comparable. */
const SLIGHT = /: A17: the error has no cniVersion$|: code 999 instead of /;
/** Breaches by what is printed: they end with the call. */
const IN_WORDS = /: (does not say |details are |code \S+ instead of |A(9|1[0-57-9]|2\d): )/;

/** The number of the call that the reference went another way at: from then on the two hosts are not alike. */
const partingOf = ({ problems }: Observation): number | undefined =>
  problems.find(({ text }) => !SLIGHT.test(text) && !IN_WORDS.test(text))?.calls;

function factDifferences(
  reference: Observation,
  ours: Observation,
  parted = Number.POSITIVE_INFINITY,
): string[] {
  const broken = (label: string) =>
    reference.problems.some(({ text }) => text.startsWith(`${label}: `) && !SLIGHT.test(text));
  const alike = Object.keys(ours.facts).filter((label, index) => index + 1 < parted && !broken(label));
  const normalOf = ({ facts }: Observation) =>
    JSON.parse(
      normal(JSON.stringify(Object.fromEntries(alike.map((label) => [label, facts[label]])))),
    ) as Tree;
  return differences(normalOf(reference), normalOf(ours))
    .filter((found) => !isSameMessage(found))
    .map(({ path, ...sides }) => {
      return `${describePath(path)}: reference ${describe(sides.reference)}, ours ${describe(sides.ours)}`;
    });
}

/** Messages are compared by what they are about: ours holds the reference's words, or both are of one class. */
const isSameMessage = ({ path, reference, ours }: Difference): boolean =>
  path.at(-1) === "message" &&
  typeof reference === "string" &&
  typeof ours === "string" &&
  (holdsWords(reference, ours) || classOf(reference, ours) !== undefined);

function stateDifferences(reference: State, ours: State): string[] {
  const [a, b] = [reference.map(normal), ours.map(normal)];
  return [
    ...without(a, b).map((line) => `state: only reference: ${line}`),
    ...without(b, a).map((line) => `state: only ours: ${line}`),
  ];
}

/** Those of `lines` that `others` lacks, each as often as it stands there more. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return lines.filter((line) => {
    const index = left.indexOf(line);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

/** Without the names that each side chooses by itself. Hardware addresses that cases ask for begin with 02:00:5e. */
const normal = (text: string): string =>
  text
    .replace(/\bveth[0-9a-f]{8}\b/g, "veth*")
    .replace(/\b(?!02:00:5e|00:00:00:00:00:00)(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi, "(mac)");
