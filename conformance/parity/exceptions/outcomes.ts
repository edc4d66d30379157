/** Steps that end otherwise than the reference's. */
import type { Exception } from "../exceptions.ts";

export const OUTCOMES: readonly Exception[] = [];
