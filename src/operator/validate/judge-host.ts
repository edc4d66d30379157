/** Judges networks by this host: the plugins' programs, the host's interfaces and its routes. */

import { findLink } from "../../links/link.ts";
import { connect } from "../../links/namespaces.ts";
import { FAMILIES } from "../../net/ip.ts";
import { formatPrefix, overlaps } from "../../net/prefix.ts";
import { decodeRoute, dumpRoutes, type Route, RTN_UNICAST } from "../../netlink/rtnetlink/route.ts";
import { unlessFailed } from "../../sys/errno.ts";
import { isDirectory, isProgram, status } from "../../sys/file.ts";
import { bridgeNameOf } from "../networks.ts";
import { foldersIn } from "../plugin-folder.ts";
import { inside, type NetworkFile } from "./network-file.ts";
import type { Report } from "./report.ts";
import { subnetsOf } from "./subnets.ts";

/** Whether a folder of CNI_PATH exists. Without one, no plugin of any network does, which is one finding. */
export const hasPluginFolder = (pluginPath: string): boolean =>
  foldersIn(pluginPath).some((folder) => unlessFailed(() => isDirectory(status(folder))) === true);

/** The words of the finding BH112 for that. */
export const missingFolder = (pluginPath: string): { readonly problem: string; readonly remedy: string } => ({
  problem: `the folder of the plugins, ${pluginPath}, does not exist, so no network works`,
  remedy: `bridgehead install ${foldersIn(pluginPath)[0] ?? ""}, or name the right folder in CNI_PATH`,
});

/** Judges that each plugin's program is there, and can be executed. `folders` is CNI_PATH. */
export function judgePrograms(file: NetworkFile, folders: string, report: Report): void {
  const seen = new Set<string>();
  for (const { type, at, ipam } of file.plugins) {
    for (const [name, key] of [
      [type, "type"],
      [ipam, "ipam.type"],
    ] as const) {
      if (name === undefined || seen.has(name)) continue;
      seen.add(name);
      judgeProgram(name, inside(at, key), file, folders, report);
    }
  }
}

function judgeProgram(name: string, key: string, file: NetworkFile, folders: string, report: Report): void {
  const paths = foldersIn(folders).map((folder) => `${folder}/${name}`);
  const present = paths.flatMap((path) => {
    const found = name.includes("/") ? undefined : unlessFailed(() => status(path));
    return found === undefined ? [] : [{ path, runs: isProgram(found) }];
  });
  const [first] = present;
  if (present.some(({ runs }) => runs)) return;
  if (first !== undefined) {
    report.add(
      "BH113",
      file,
      key,
      `${first.path} cannot be executed`,
      `chmod 755 ${first.path}, or install it again`,
    );
    return;
  }
  const problem = `plugin ${JSON.stringify(name)} is not in ${folders}`;
  report.add("BH112", file, key, problem, "install it, name its folder in CNI_PATH, or correct the type");
}

/** RT_TABLE_LOCAL: addresses of the host itself, and broadcasts. */
const LOCAL_TABLE = 255;
/** RTPROT_KERNEL: the route came with an address of the interface. */
const OF_KERNEL = 2;

/** Judges bridges and subnets by the interfaces and routes of this host. */
export function judgeSurroundings(
  files: readonly NetworkFile[],
  judged: ReadonlySet<NetworkFile>,
  report: Report,
): void {
  using host = connect();
  const bridges = new Set(
    files.flatMap(({ plugins }) => plugins.flatMap(({ written }) => bridgeNameOf(written) ?? [])),
  );
  const own = new Set<number>();
  for (const name of bridges) {
    const link = findLink(host, name);
    if (link?.kind === "bridge") own.add(link.index);
    else if (link !== undefined) judgeName(name, link.kind ?? "device", judged, report);
  }
  const routes = FAMILIES.flatMap((family) =>
    host.dump(dumpRoutes(family), ({ payload }) => {
      const route = decodeRoute(payload);
      const isOther = route.dst.length === 0 || route.table === LOCAL_TABLE || route.type !== RTN_UNICAST;
      return isOther || own.has(route.index ?? 0) ? undefined : route;
    }),
  );
  for (const file of judged) judgeSubnets(file, routes, (index) => findLink(host, { index })?.name, report);
}

function judgeName(name: string, kind: string, judged: ReadonlySet<NetworkFile>, report: Report): void {
  for (const file of judged) {
    for (const entry of file.plugins) {
      if (bridgeNameOf(entry.written) !== name) continue;
      const problem = `the host has an interface ${JSON.stringify(name)} already, which is a ${kind}`;
      report.add("BH125", file, inside(entry.at, "bridge"), problem, "choose another name for the bridge");
    }
  }
}

function judgeSubnets(
  file: NetworkFile,
  routes: readonly Route[],
  nameOf: (index: number) => string | undefined,
  report: Report,
): void {
  const seen = new Set<string>();
  for (const { prefix, key } of subnetsOf(file)) {
    for (const route of routes) {
      if (!overlaps(prefix, route.dst)) continue;
      const dev = nameOf(route.index ?? 0) ?? "another interface";
      const said = `${formatPrefix(prefix)} ${formatPrefix(route.dst)} ${dev}`;
      if (seen.has(said)) continue;
      seen.add(said);
      const isConnected =
        route.gateway === undefined && route.multipath === undefined && route.protocol === OF_KERNEL;
      if (isConnected) {
        const problem = `${formatPrefix(prefix)} overlaps with ${formatPrefix(route.dst)}, the network of the host's ${dev}`;
        report.add("BH121", file, key, problem, "choose a subnet that the host has not");
      } else {
        const problem = `${formatPrefix(prefix)} overlaps with the host's route to ${formatPrefix(route.dst)} over ${dev}`;
        report.add("BH122", file, key, problem, "choose a subnet outside of it, unless it is meant so");
      }
    }
  }
}
