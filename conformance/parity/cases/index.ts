/** All cases, in the order of the report. */
import type { ParityCase } from "../case.ts";
import { ADDRESSES } from "./addresses.ts";
import { BAD_KEYS } from "./bad-keys.ts";
import { CHECK } from "./check.ts";
import { DEL } from "./del.ts";
import { EXISTING } from "./existing.ts";
import { HOST_LOCAL } from "./host-local.ts";
import { LAYER2 } from "./layer2.ts";
import { LOOPBACK } from "./loopback.ts";
import { NETFILTER } from "./netfilter.ts";
import { OPERATOR } from "./operator.ts";
import { PROTOCOL } from "./protocol.ts";
import { REQUESTS } from "./requests.ts";
import { ROUTES } from "./routes.ts";

export const CASES: readonly ParityCase[] = [
  ...ADDRESSES,
  ...ROUTES,
  ...REQUESTS,
  ...LAYER2,
  ...NETFILTER,
  ...EXISTING,
  ...DEL,
  ...CHECK,
  ...OPERATOR,
  ...PROTOCOL,
  ...BAD_KEYS,
  ...LOOPBACK,
  ...HOST_LOCAL,
];

const names = CASES.map(({ name }) => name);
const twice = names.find((name, index) => names.indexOf(name) !== index);
if (twice !== undefined) throw new Error(`two cases are called ${JSON.stringify(twice)}`);
