/** All differences that README tells, in its order. A test keeps README equal to this list. */
import type { Difference } from "./difference.ts";
import { INTERFACES } from "./rows/interfaces.ts";
import { LEASES } from "./rows/leases.ts";
import { LIFECYCLE } from "./rows/lifecycle.ts";
import { QUERIES } from "./rows/queries.ts";

export const DIFFERENCES: readonly Difference[] = [...LIFECYCLE, ...QUERIES, ...LEASES, ...INTERFACES];
