/** The known word that a misspelt one was probably meant to be. */
import distance from "damerau-levenshtein";

/**
 * The nearest of the words, in any case. A third of the letters may be wrong, missing, too many or swapped with their
 * neighbour, but at least one; undefined if no word is so near.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const most = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of known) {
    const { steps } = distance(word.toLowerCase(), candidate.toLowerCase());
    if (steps >= least || steps >= candidate.length) continue;
    best = candidate;
    least = steps;
  }
  return best;
}
