/** cnitool drives our plugins, alone and in chains, where bandwidth and sbr are the reference's. */
import { scratchSuite } from "../scratch-lanes.ts";
import { CASES } from "./cases.ts";

export default scratchSuite("cnitool 1.3.0 calls our plugins, alone and in chains", import.meta.dir, CASES);
