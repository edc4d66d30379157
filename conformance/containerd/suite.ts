/** Containers of a real containerd and runc: ctr, and pods of the CRI as the kubelet makes them. */
import { runtimeSuite } from "../scratch-suite.ts";
import { provideContainerd, provideCrictl } from "./programs.ts";

export default runtimeSuite({
  title: "containerd, Debian's and the newest: ctr and pods",
  folder: import.meta.dir,
  debian: { "/usr/bin/containerd": "containerd", runc: "runc" },
  runs: ["/usr/bin", provideContainerd].map((daemon) => ({ crictl: provideCrictl, daemon })),
  minutes: 5,
});
