/** nerdctl, with our bridge and host-local in chains with the reference's portmap, firewall and tuning. */
import { provideContainerd, provideNerdctl } from "../containerd/programs.ts";
import { runtimeSuite } from "../scratch-suite.ts";

export default runtimeSuite({
  title: "nerdctl on containerd",
  folder: import.meta.dir,
  debian: { runc: "runc" },
  runs: [{ daemon: provideContainerd, nerdctl: provideNerdctl }],
  minutes: 5,
});
