/** All that is explained, in the order of the search. */
import type { Exception } from "../../engine/exceptions.ts";
import { ATTACHMENTS } from "./attachments.ts";
import { EVERYWHERE } from "./everywhere.ts";
import { FORMS } from "./forms.ts";
import { OPERATIONS } from "./operations.ts";

export const TABLE: readonly Exception[] = [...EVERYWHERE, ...FORMS, ...ATTACHMENTS, ...OPERATIONS];
