/** The programs of the CNI project that ours are held against. */
import { goPrograms } from "./go-programs.ts";

export const REFERENCE_VERSION = "v1.9.1";

const PLUGINS = "github.com/containernetworking/plugins/plugins";

/** Folder with the reference's plugins of the names that ours have. @throws Error that says what is missing and how to get it. */
export const provideReference = goPrograms({
  name: "reference",
  version: REFERENCE_VERSION,
  packages: [
    "main/bridge",
    "main/loopback",
    "ipam/host-local",
    "ipam/static",
    "meta/portmap",
    "meta/tuning",
    "meta/firewall",
  ].map((path) => `${PLUGINS}/${path}`),
  goNeeded: [1, 24],
});

/** Folder with the reference's plugins that stand in a chain beside ours, which has none of that name. @throws Error as above. */
export const provideNeighbours = goPrograms({
  name: "neighbours",
  version: REFERENCE_VERSION,
  packages: ["main/ptp", "meta/bandwidth", "meta/sbr"].map((path) => `${PLUGINS}/${path}`),
  goNeeded: [1, 24],
});

/** Folder with cnitool. @throws Error as above. */
export const provideCnitool = goPrograms({
  name: "cnitool",
  version: "v1.3.0",
  packages: ["github.com/containernetworking/cni/cnitool"],
  goNeeded: [1, 21],
});
