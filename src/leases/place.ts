/** Paths of a network's leases, and of the files that this program keeps beside them. */
import { sha256 } from "#engine";

/** Says where the network's leases are. DEL and GC need to know no more (rule L9). */
export interface LeasePlace {
  readonly dataDir: string;
  readonly network: string;
}

/**
 * Holds files that are not leases; no other program reads or lists them. A network's name starts with a letter or digit
 * (rule A10), so no network has this directory's name.
 */
export const stateDirectory = ({ dataDir }: LeasePlace): string => `${dataDir}/.bridgehead`;

/** Bytes of a network's name in a file's name of at most 255 bytes, before "+" and 32 random digits. */
const LONGEST_PLAIN = 218;

/** The network's name in names of files there. A digest replaces a longer name; no network's name begins with "_". */
const stateName = ({ network }: LeasePlace): string =>
  network.length <= LONGEST_PLAIN ? network : `_${sha256(network)}`;

/** Path of the network's lease index. */
export const indexPath = (place: LeasePlace): string => `${stateDirectory(place)}/${stateName(place)}.index`;

/** Start of the working names of staged leases; no network's name has a "+". */
export const workingPrefix = (place: LeasePlace): string => `${stateName(place)}+`;
