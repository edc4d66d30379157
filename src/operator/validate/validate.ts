/** Validates network configurations: what `bridgehead validate` does, and `doctor` for each network. */

import { isIdentifier } from "../../cni/identifier.ts";
import { PLUGINS } from "../../plugins/registry.ts";
import { listDirectory } from "../../sys/directory.ts";
import { failedWith } from "../../sys/errno.ts";
import { isDirectory, readFile, status } from "../../sys/file.ts";
import { isOurs, judgeChain } from "./judge-chain.ts";
import { judgeList, judgePlugin } from "./judge-keys.ts";
import { judgeNetworks } from "./judge-networks.ts";
import { judgeSysctls, judgeValues } from "./judge-values.ts";
import { nearest } from "./nearest.ts";
import { inside, type NetworkFile, readNetworkFile, type Source } from "./network-file.ts";
import { type ConfigurationFinding, Report } from "./report.ts";

/** What to validate, and by what. */
export interface Validation {
  /** The files that are judged. */
  readonly files: readonly Source[];
  /** Other networks of the host, which the files are compared with. */
  readonly others: readonly Source[];
  /** The value of CNI_PATH; undefined to judge the files alone, not by this host. */
  readonly pluginPath: string | undefined;
}

/** The findings, by file, line and column. */
export async function validate({ files, others, pluginPath }: Validation): Promise<ConfigurationFinding[]> {
  const report = new Report();
  const judged = new Set<NetworkFile>();
  for (const source of files) {
    const file = readNetworkFile(source, report);
    if (file === undefined) continue;
    judged.add(file);
    judgeList(file, report);
    for (const entry of file.plugins) {
      if (isOurs(entry.type)) {
        const hasRightTypes = judgePlugin(file, entry, report);
        if (hasRightTypes && isIdentifier(file.name ?? "")) {
          await judgeValues(file, entry, report);
          if (pluginPath !== undefined) await judgeSysctls(file, entry, report);
        }
      } else tellForeign(file, inside(entry.at, "type"), entry.type, report);
      if (entry.type === "bridge" && entry.ipam !== undefined && !isOurs(entry.ipam))
        tellForeign(file, inside(entry.at, "ipam.type"), entry.ipam, report);
    }
    judgeChain(file, report);
  }
  const all = [...judged].map((file) => ({ file, isJudged: true }));
  const silent = new Report();
  for (const source of others) {
    const file = readNetworkFile(source, silent);
    if (file !== undefined) all.push({ file, isJudged: false });
  }
  all.sort((one, two) => (one.file.path < two.file.path ? -1 : 1));
  judgeNetworks(all, report);
  if (pluginPath !== undefined) {
    const { hasPluginFolder, judgePrograms, judgeSurroundings, missingFolder } = await import(
      "./judge-host.ts"
    );
    const [first] = judged;
    if (first !== undefined && !hasPluginFolder(pluginPath)) {
      const { problem, remedy } = missingFolder(pluginPath);
      report.add("BH112", first, "", problem, remedy);
    } else for (const file of judged) judgePrograms(file, pluginPath, report);
    judgeSurroundings(
      all.map(({ file }) => file),
      judged,
      report,
    );
  }
  const order = files.map(({ path }) => path);
  return report.findings.sort(
    (one, two) =>
      order.indexOf(one.file) - order.indexOf(two.file) || one.line - two.line || one.column - two.column,
  );
}

/** Says that the keys of a plugin are not validated, and whether its name may be misspelt. */
function tellForeign(file: NetworkFile, key: string, type: string, report: Report): void {
  const near = nearest(
    type,
    PLUGINS.map(({ name }) => name),
  );
  const problem = `${JSON.stringify(type)} is not a plugin of this program: its keys are not validated`;
  const remedy =
    near === undefined
      ? "see the documentation of that plugin"
      : `write ${JSON.stringify(near)} if that is meant`;
  report.add("BH111", file, key, problem, remedy);
}

/** The endings of the files that runtimes read. */
const ENDINGS = /\.(?:conflist|conf|json)$/;

/** The files at a path: itself, or those of a folder that runtimes read. @throws SystemError */
export function sourcesAt(path: string): Source[] {
  if (!isDirectory(status(path))) return [{ path, bytes: readFile(path) }];
  const names = listDirectory(path).filter((name) => ENDINGS.test(name));
  return names.sort().flatMap((name) => {
    const file = `${path.replace(/(.)\/+$/, "$1")}/${name}`;
    return isDirectory(status(file)) ? [] : [{ path: file, bytes: readFile(file) }];
  });
}

/** As sourcesAt(); none if there is nothing. @throws SystemError */
export function sourcesIfAny(path: string): Source[] {
  try {
    return sourcesAt(path);
  } catch (error) {
    if (failedWith(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}
