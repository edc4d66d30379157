/** One node whose binaries are swapped: the reference's and ours on the same containers, bridge, rules and leases. */
import { join } from "node:path";
import { runInLanes } from "../scratch-lanes.ts";
import type { Suite } from "../suite.ts";
import { CASES } from "./cases.ts";

const suite: Suite = {
  title: "one node, with the reference's binaries and ours in turn",
  run: (context) => runInLanes(context, join(import.meta.dir, "cases.ts"), CASES),
};
export default suite;
