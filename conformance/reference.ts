/** The programs of the CNI project that ours are held against. */
import { provideGoPrograms } from "./go-programs.ts";

export const REFERENCE_VERSION = "v1.9.1";

const PLUGINS = "github.com/containernetworking/plugins/plugins";

/** Folder with the reference's bridge, loopback and host-local. @throws Error that says what is missing and how to get it. */
export function provideReference(cache: string, say: (line: string) => void): Promise<string> {
  return provideGoPrograms(
    {
      name: "reference",
      version: REFERENCE_VERSION,
      packages: [`${PLUGINS}/main/bridge`, `${PLUGINS}/main/loopback`, `${PLUGINS}/ipam/host-local`],
      goNeeded: [1, 24],
    },
    cache,
    say,
  );
}

/** Folder with the reference's plugins that stand in a chain beside ours. @throws Error as above. */
export function provideNeighbours(cache: string, say: (line: string) => void): Promise<string> {
  const meta = ["bandwidth", "firewall", "portmap", "sbr", "tuning"];
  return provideGoPrograms(
    {
      name: "neighbours",
      version: REFERENCE_VERSION,
      packages: meta.map((name) => `${PLUGINS}/meta/${name}`),
      goNeeded: [1, 24],
    },
    cache,
    say,
  );
}

/** Folder with cnitool. @throws Error as above. */
export function provideCnitool(cache: string, say: (line: string) => void): Promise<string> {
  return provideGoPrograms(
    {
      name: "cnitool",
      version: "v1.3.0",
      packages: ["github.com/containernetworking/cni/cnitool"],
      goNeeded: [1, 21],
    },
    cache,
    say,
  );
}
