/**
 * The walk-through that users follow, and the scripts of the CNI repository that it ends with: plugins called by hand,
 * for a private network namespace, and for containers of a real Docker daemon.
 */
import { goSources } from "../go-programs.ts";
import { runtimeSuite } from "../scratch-suite.ts";

const CNI = {
  name: "cni-scripts",
  version: "v1.3.0",
  packages: ["github.com/containernetworking/cni"],
  goNeeded: [1, 21],
} as const;

export default runtimeSuite({
  title: "the walk-through, its scripts, and Docker",
  folder: import.meta.dir,
  debian: {
    brctl: "bridge-utils",
    docker: "docker.io",
    dockerd: "docker.io",
    ifconfig: "net-tools",
    jq: "jq",
  },
  runs: [{ scripts: goSources(CNI, "scripts") }],
  minutes: 4,
});
