/** The types of damerau-levenshtein 1.0.8, which has none of its own. */
declare module "damerau-levenshtein" {
  export default function distance(one: string, other: string): { readonly steps: number };
}
