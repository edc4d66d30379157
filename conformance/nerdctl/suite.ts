/** nerdctl, whose chain is ours whole: bridge with host-local, portmap, firewall and tuning. */
import { provideContainerd, provideNerdctl } from "../containerd/programs.ts";
import { runtimeSuite } from "../scratch-suite.ts";

export default runtimeSuite({
  title: "nerdctl on containerd",
  folder: import.meta.dir,
  debian: { runc: "runc" },
  runs: [{ daemon: provideContainerd, nerdctl: provideNerdctl }],
  minutes: 5,
});
