/** What the cases of this suite work with. */
import type { WorkerTask } from "../scratch-suite.ts";
import type { Cri } from "./cri.ts";
import type { Containerd } from "./daemon.ts";

export interface Stage {
  readonly task: WorkerTask;
  readonly daemon: Containerd;
  readonly cri: Cri;
  /** A root file system of busybox. */
  readonly root: string;
  /** Of containerd, as in "2.4.2". */
  readonly version: string;
}
