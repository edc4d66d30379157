/** The programs of containerd's family that Debian does not have, or not as new. */
import { provideGoPrograms } from "../go-programs.ts";

/** Folder with containerd, its shim, and ctr. @throws Error that says what is missing and how to get it. */
export function provideContainerd(cache: string, say: (line: string) => void): Promise<string> {
  const module = "github.com/containerd/containerd/v2/cmd";
  const packages = ["containerd", "containerd-shim-runc-v2", "ctr"].map((name) => `${module}/${name}`);
  return provideGoPrograms(
    { name: "containerd", version: "v2.4.2", packages, goNeeded: [1, 26] },
    cache,
    say,
  );
}

/** Folder with crictl. @throws Error as above. */
export function provideCrictl(cache: string, say: (line: string) => void): Promise<string> {
  return provideGoPrograms(
    {
      name: "crictl",
      version: "v1.30.0",
      module: "sigs.k8s.io/cri-tools",
      packages: ["./cmd/crictl"],
      goNeeded: [1, 22],
    },
    cache,
    say,
  );
}

export const NERDCTL_VERSION = "v1.7.7";

/** Folder with nerdctl. @throws Error as above. */
export function provideNerdctl(cache: string, say: (line: string) => void): Promise<string> {
  return provideGoPrograms(
    {
      name: "nerdctl",
      version: NERDCTL_VERSION,
      module: "github.com/containerd/nerdctl",
      packages: ["./cmd/nerdctl"],
      goNeeded: [1, 21],
    },
    cache,
    say,
  );
}
