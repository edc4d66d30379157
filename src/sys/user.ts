/** The user of this process. */
import { attempt } from "./syscall.ts";

/** The effective user id. The call cannot fail. */
export const userId = (): number => attempt("geteuid", 107, 175);
