/** Reads the files of this host that tell of attachments, by the common options (rule O5). */
import { type Cache, readCache } from "./cache.ts";
import { type Input, textOption } from "./input.ts";
import { type LeaseFolder, readLeaseFolders } from "./lease-folders.ts";
import { type Networks, readNetworks } from "./networks.ts";

/** What the files say. */
export interface HostFiles {
  readonly networks: Networks;
  readonly folders: readonly LeaseFolder[];
  readonly cache: Cache;
}

/** Reads them all. @param only the network whose leases are wanted; undefined for all. @throws CommandError, SystemError */
export function readHostFiles(input: Pick<Input, "options">, only: string | undefined): HostFiles {
  const networks = readNetworks(textOption(input, "configDir"));
  const folders = readLeaseFolders(networks.networks, dataDirIn(input), only);
  return { networks, folders, cache: readCache(textOption(input, "cacheDir")) };
}

/** The folder of all leases, if the call names one. */
export const dataDirIn = (input: Pick<Input, "options">): string | undefined =>
  textOption(input, "dataDir")?.replace(/(.)\/+$/, "$1");

/** What could not be read of these files, in whole sentences (rule O5). */
export const problemsOf = ({ networks, cache }: Pick<HostFiles, "networks" | "cache">): string[] => [
  ...networkProblems(networks),
  ...cacheProblems(cache),
];

/** Those of the networks. */
export const networkProblems = ({ broken }: Networks): string[] =>
  broken.map(
    ({ file, problem }) => `cannot read the network of ${JSON.stringify(file)}: ${problem}; correct the file`,
  );

/** Those of libcni's cache. */
export const cacheProblems = ({ broken }: Cache): string[] =>
  broken.map(
    ({ file, problem }) =>
      `cannot read the attachment of ${JSON.stringify(file)}: ${problem}; DEL of its container removes the file, and only ADD makes another one`,
  );
