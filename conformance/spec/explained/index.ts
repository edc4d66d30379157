/** All that is explained, in the order of the search. */
import type { Explained } from "../explained.ts";
import { ATTACHMENTS } from "./attachments.ts";
import { EVERYWHERE } from "./everywhere.ts";
import { FORMS } from "./forms.ts";
import { OPERATIONS } from "./operations.ts";

export const TABLE: readonly Explained[] = [...EVERYWHERE, ...FORMS, ...ATTACHMENTS, ...OPERATIONS];
