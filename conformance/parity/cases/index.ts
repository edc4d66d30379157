/** All cases, in the order of the report. */
import type { Case } from "../../engine/case.ts";
import { ADDRESSES } from "./addresses.ts";
import { BAD_KEYS } from "./bad-keys.ts";
import { CHECK } from "./check.ts";
import { DEL } from "./del.ts";
import { EXISTING } from "./existing.ts";
import { FIREWALL } from "./firewall.ts";
import { HOST_LOCAL } from "./host-local.ts";
import { LAYER2 } from "./layer2.ts";
import { LOOPBACK } from "./loopback.ts";
import { NETFILTER } from "./netfilter.ts";
import { OPERATOR } from "./operator.ts";
import { PORTMAP } from "./portmap.ts";
import { PORTMAP_WRONG } from "./portmap-wrong.ts";
import { PROTOCOL } from "./protocol.ts";
import { REQUESTS } from "./requests.ts";
import { ROUTES } from "./routes.ts";
import { STATIC } from "./static.ts";
import { TUNING } from "./tuning.ts";

export const CASES: readonly Case[] = [
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
  ...STATIC,
  ...TUNING,
  ...PORTMAP,
  ...PORTMAP_WRONG,
  ...FIREWALL,
];
