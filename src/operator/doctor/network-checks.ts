/** What doctor looks at for each network: its configuration, its plugins' STATUS, its free addresses, its programs. */

import { findVersion } from "../../cni/version.ts";
import { isAtLeast } from "../../cni/version-check.ts";
import { requireUsable } from "../../leases/directory-probe.ts";
import { LeaseFiles } from "../../leases/lease-files.ts";
import { sizeOf } from "../../net/interval.ts";
import type { IpAddress } from "../../net/ip.ts";
import { formatPrefix } from "../../net/prefix.ts";
import { PLUGINS } from "../../plugins/registry.ts";
import { runProgram } from "../../sys/child.ts";
import { exists, readFile } from "../../sys/file.ts";
import { isFileFailure } from "../../sys/own-file.ts";
import { dataDirOf } from "../lease-folders.ts";
import { type Network, type Networks, typeOf } from "../networks.ts";
import { programOf } from "../plugin-folder.ts";
import { hostLocalOf } from "../range-sets.ts";
import { hasPluginFolder, missingFolder } from "../validate/judge-host.ts";
import { readNetworkFile } from "../validate/network-file.ts";
import { Report } from "../validate/report.ts";
import { subnetsOf } from "../validate/subnets.ts";
import { validate } from "../validate/validate.ts";
import { errorOf } from "./call-plugin.ts";
import type { Diagnosis, Found } from "./diagnosis.ts";
import type { Subject } from "./host-checks.ts";

/** Makes the checks of the networks that `isWanted` accepts, and of the plugins' programs. */
export async function checkNetworks(
  diagnosis: Diagnosis,
  subject: Subject,
  isWanted: (network: string) => boolean,
): Promise<void> {
  const { networks, broken } = subject.networks;
  await diagnosis.check("programs", "host", "the plugins are of one version", () =>
    networks.length > 0 && !hasPluginFolder(subject.pluginPath)
      ? noFolder(subject.pluginPath)
      : mixedVersions(subject),
  );
  for (const { file, problem } of broken) {
    await diagnosis.check("configuration", file, "", () => [
      {
        code: "BH303",
        object: file,
        message: `${file} is not a network: ${problem}`,
        remedy: `bridgehead validate ${file}`,
      },
    ]);
  }
  await diagnosis.check("default network", "host", "there is one network for pods", () =>
    passedOver(subject.networks, isWanted),
  );
  let mistakes: Promise<ReadonlyMap<string, readonly Found[]>> | undefined;
  for (const network of networks) {
    if (!isWanted(network.name)) continue;
    const { name, file } = network;
    await diagnosis.check("configuration", name, "no mistakes", async () => {
      mistakes ??= findMistakes(subject, isWanted);
      return (await mistakes).get(file) ?? [];
    });
    if (network.shadowedBy !== undefined) continue;
    await diagnosis.check("leases", name, "can be written", () => unwritable(network));
    await diagnosis.check("status", name, "containers can be added", () => failedStatus(network, subject));
    await diagnosis.check("addresses", name, "there are free ones", () => exhausted(network, subject));
  }
}

/** Where the kubelet keeps its files. */
const KUBELET = "/var/lib/kubelet";

/** The runtimes of Kubernetes give pods the network of the first file. Elsewhere networks are called by their names. */
export function passedOver(
  { networks }: Pick<Networks, "networks">,
  isWanted: (network: string) => boolean,
  kubelet = KUBELET,
): Found[] | undefined {
  const [first, ...others] = networks.filter(({ shadowedBy }) => shadowedBy === undefined);
  if (first === undefined || !exists(kubelet)) return undefined;
  return others
    .filter(({ name }) => isWanted(name))
    .map(({ name, file }) => ({
      code: "BH305",
      object: name,
      message: `pods get network ${JSON.stringify(first.name)} of ${first.file}, whose name comes before ${file}`,
      remedy: `mv ${first.file} ${first.file}.off, if ${JSON.stringify(name)} is meant`,
    }));
}

/** The errors and warnings of validate by file. What is wrong between two networks is said of the later one alone. */
async function findMistakes(
  { networks: { networks }, pluginPath }: Subject,
  isWanted: (network: string) => boolean,
): Promise<ReadonlyMap<string, readonly Found[]>> {
  const source = ({ file }: Network) => ({ path: file, bytes: readFile(file) });
  const findings = await validate({
    files: networks.filter(({ name }) => isWanted(name)).map(source),
    others: networks.filter(({ name }) => !isWanted(name)).map(source),
    pluginPath,
  });
  const names = new Map(networks.map(({ file, name }) => [file, name]));
  // That the folder of the plugins is missing is said once, not for each network.
  const isSaid = hasPluginFolder(pluginPath) ? undefined : "BH112";
  const found = findings
    .filter(({ level, code }) => level !== "note" && code !== isSaid)
    .map(({ file, code, line, column, message, remedy }) => ({
      file,
      code,
      object: names.get(file) ?? file,
      message: `${file}:${line}:${column}: ${message}`,
      remedy,
    }));
  return Map.groupBy(found, ({ file }) => file);
}

/** Runtimes call STATUS only for networks of 1.1.0 and later. */
function failedStatus({ name, cniVersion, plugins }: Network, { pluginPath }: Subject): Found[] | undefined {
  const version = findVersion(cniVersion);
  if (version === undefined || !isAtLeast(version, "1.1.0")) return undefined;
  return plugins.flatMap((plugin) => {
    const message = errorOf({ command: "STATUS", network: name, cniVersion, plugin, pluginPath });
    if (message === undefined) return [];
    const remedy = "bridgehead explain BH301";
    return [{ code: "BH301", object: name, message: `STATUS of ${typeOf(plugin)}: ${message}`, remedy }];
  });
}

/** Whether the folder of leases can be written, in the way of host-local's STATUS, which leaves no trace. */
function unwritable(network: Network): Found[] | undefined {
  if (hostLocalOf(network) === undefined) return undefined;
  const files = new LeaseFiles({ dataDir: dataDirOf(network), network: network.name }, () => {});
  try {
    requireUsable(files);
    return [];
  } catch (error) {
    if (!isFileFailure(error)) throw error;
    const message = `the folder of leases ${files.path} cannot be written: ${error.message}`;
    return [
      { code: "BH304", object: network.name, message, remedy: `df ${files.path}; mount | grep /var/lib` },
    ];
  }
}

/** The ranges of host-local in which each address is held: by a lease, or by a file that is none. */
function exhausted(network: Network, { folders }: Subject): Found[] | undefined {
  const file = readNetworkFile({ path: network.file, bytes: readFile(network.file) }, new Report());
  const subnets = (file === undefined ? [] : subnetsOf(file)).filter(({ key }) => !key.includes("addresses"));
  if (subnets.length === 0) return undefined;
  const dataDir = dataDirOf(network);
  const own = folders.filter((folder) => folder.network === network.name && folder.dataDir === dataDir);
  const foreign = own.flatMap(({ other }) => other.flatMap(({ address }) => address ?? []));
  const held = [...own.flatMap(({ leases }) => leases.map(({ address }) => address)), ...foreign];
  return subnets.flatMap(({ prefix, given, gateway }) => {
    const isGiven = ({ family, value }: IpAddress): boolean =>
      family === given.family && value >= given.from && value <= given.to;
    const used = held.filter(isGiven).length;
    // The network's own address, the broadcast address and the gateway are never given.
    const last = prefix.address.value + (1n << BigInt((given.family === 4 ? 32 : 128) - prefix.length)) - 1n;
    const reserved = new Set([prefix.address.value, gateway.value, ...(given.family === 4 ? [last] : [])]);
    const kept = [...reserved].filter((value) => value >= given.from && value <= given.to).length;
    const size = sizeOf([given]) - BigInt(kept);
    if (BigInt(used) < size) return [];
    const message = `all ${size} addresses of ${formatPrefix(prefix)} are held`;
    const remedy = foreign.some(isGiven)
      ? `bridgehead leases ${network.name}; remove the files that are not leases`
      : `bridgehead gc ${network.name}`;
    return [{ code: "BH302", object: network.name, message, remedy }];
  });
}

function noFolder(pluginPath: string): Found[] {
  const { problem: message, remedy } = missingFolder(pluginPath);
  return [{ code: "BH112", object: pluginPath, message, remedy }];
}

/** Milliseconds in which a plugin must say its version. */
const MOST = 5000;

/** The versions that the programs of our names print. A plugin without a command prints a line about itself (rule A5). */
function mixedVersions({ pluginPath }: Subject): Found[] {
  const versions = new Map<string, string[]>();
  for (const { name } of PLUGINS) {
    const path = programOf(name, pluginPath);
    if (path === undefined) continue;
    const { stdout, stderr } = runProgram({ path, environment: {}, most: MOST });
    const said = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
    const version = /^CNI \S+ plugin (.+)$/m.exec(said)?.[1] ?? "says no version";
    versions.set(version, [...(versions.get(version) ?? []), name]);
  }
  if (versions.size < 2) return [];
  const all = [...versions].map(([version, names]) => `${names.join(", ")} ${version}`).join("; ");
  const message = `the plugins in ${pluginPath} are of different versions: ${all}`;
  return [{ code: "BH213", object: pluginPath, message, remedy: "bridgehead install" }];
}
