/** nerdctl, with our bridge, host-local and tuning in chains with the reference's portmap and firewall. */
import { provideContainerd, provideNerdctl } from "../containerd/programs.ts";
import { runtimeSuite } from "../scratch-suite.ts";

export default runtimeSuite({
  title: "nerdctl on containerd",
  folder: import.meta.dir,
  debian: { runc: "runc" },
  runs: [{ daemon: provideContainerd, nerdctl: provideNerdctl }],
  minutes: 5,
});
