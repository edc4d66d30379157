/** All cases: each of these files registers its own. */
import "./environment.ts";
import "./command.ts";
import "./stdin.ts";
import "./keys.ts";
import "./output.ts";
import "./results.ts";
import "./add.ts";
import "./del.ts";
import "./check.ts";
import "./status.ts";
import "./gc.ts";
import "./parallel.ts";
import "./delegation.ts";
import "./args.ts";

export { CASES } from "../case.ts";
