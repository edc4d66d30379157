/** All cases, in the order of the report. */
import type { SpecCase } from "../case.ts";
import { ARGS } from "./args.ts";
import { ATTACHMENT } from "./attachment.ts";
import { CHECK } from "./check.ts";
import { DELEGATION } from "./delegation.ts";
import { ENVIRONMENT } from "./environment.ts";
import { OPERATOR } from "./operator.ts";
import { OUTPUT } from "./output.ts";
import { STDIN } from "./stdin.ts";

export const CASES: readonly SpecCase[] = [
  ...ENVIRONMENT,
  ...STDIN,
  ...OUTPUT,
  ...ATTACHMENT,
  ...CHECK,
  ...OPERATOR,
  ...DELEGATION,
  ...ARGS,
];

const names = CASES.map(({ name }) => name);
const twice = names.find((name, index) => names.indexOf(name) !== index);
if (twice !== undefined) throw new Error(`there are two cases ${JSON.stringify(twice)}`);
