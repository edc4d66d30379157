/** Podman with its CNI backend: our bridge and host-local in the chain of its networks, beside the reference's plugins. */
import { runtimeSuite } from "../scratch-suite.ts";

export default runtimeSuite({
  title: "Podman with the CNI backend",
  folder: import.meta.dir,
  debian: { conmon: "conmon", crun: "crun", podman: "podman" },
  runs: [{}],
  minutes: 6,
});
