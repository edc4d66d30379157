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
  const packages = ["sigs.k8s.io/cri-tools/cmd/crictl"];
  return provideGoPrograms({ name: "crictl", version: "v1.30.0", packages, goNeeded: [1, 22] }, cache, say);
}
