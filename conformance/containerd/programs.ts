/** The programs of containerd's family that Debian does not have, or not as new. */
import { goPrograms } from "../go-programs.ts";

const CONTAINERD = "github.com/containerd/containerd/v2/cmd";

/** Folder with containerd, its shim, and ctr. @throws Error that says what is missing and how to get it. */
export const provideContainerd = goPrograms({
  name: "containerd",
  version: "v2.4.2",
  packages: ["containerd", "containerd-shim-runc-v2", "ctr"].map((name) => `${CONTAINERD}/${name}`),
  goNeeded: [1, 26],
});

/** Folder with crictl. @throws Error as above. */
export const provideCrictl = goPrograms({
  name: "crictl",
  version: "v1.30.0",
  module: "sigs.k8s.io/cri-tools",
  packages: ["./cmd/crictl"],
  goNeeded: [1, 22],
});

export const NERDCTL_VERSION = "v1.7.7";

/** Folder with nerdctl. @throws Error as above. */
export const provideNerdctl = goPrograms({
  name: "nerdctl",
  version: NERDCTL_VERSION,
  module: "github.com/containerd/nerdctl",
  packages: ["./cmd/nerdctl"],
  goNeeded: [1, 21],
});
