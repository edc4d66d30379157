/** cnitool 1.3.0 as the caller: single configurations and lists, chains with the reference's plugins, gc and status. */
import { join } from "node:path";
import { runInLanes } from "../scratch-lanes.ts";
import type { Suite } from "../suite.ts";
import { CASES } from "./cases.ts";

const suite: Suite = {
  title: "cnitool 1.3.0 calls our plugins, alone and in chains with the reference's",
  run: (context) => runInLanes(context, join(import.meta.dir, "cases.ts"), CASES),
};
export default suite;
