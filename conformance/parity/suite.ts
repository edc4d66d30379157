/** What the reference does, call by call: what both sides print and what they leave behind is compared field by field. */
import { join } from "node:path";
import { runDifferential } from "../engine/run.ts";
import { REFERENCE_VERSION } from "../reference.ts";
import type { Suite } from "../suite.ts";
import { CASES } from "./cases/index.ts";
import { PARITY_EXCEPTIONS } from "./declared/index.ts";
import { LIKES } from "./declared/likes.ts";

const suite: Suite = {
  title: `what the reference ${REFERENCE_VERSION} does, on identical hosts`,
  run: (context) =>
    runDifferential(
      {
        path: join(import.meta.dir, "cases/index.ts"),
        cases: CASES,
        declared: { exceptions: PARITY_EXCEPTIONS },
        likes: LIKES,
      },
      context,
    ),
};
export default suite;
