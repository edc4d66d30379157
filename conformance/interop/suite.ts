/** One node whose binaries are swapped: the reference's and ours on the same containers, bridge, rules and leases. */
import { scratchSuite } from "../scratch-lanes.ts";
import { CASES } from "./cases.ts";

export default scratchSuite(
  "one node, with the reference's binaries and ours in turn",
  import.meta.dir,
  CASES,
);
