/** Where the leases of a network are, and what this program keeps beside them. */
import { sha256 } from "#engine";

/** The directory that holds the network's leases. All that DEL and GC need to know (rule L9). */
export interface LeasePlace {
  readonly dataDir: string;
  readonly network: string;
}

/**
 * For what is not a lease: no other program reads or lists files there. A network's name starts with a letter or digit
 * (rule A10), so it cannot be the name of this directory.
 */
export const stateDirectory = ({ dataDir }: LeasePlace): string => `${dataDir}/.bridgehead`;

/** Bytes of a network's name in a file's name of at most 255, before "+" and 32 random digits. */
const LONGEST_PLAIN = 218;

/** How a network is called there. A digest stands for a longer name; no network's name begins with "_". */
const stateName = ({ network }: LeasePlace): string =>
  network.length <= LONGEST_PLAIN ? network : `_${sha256(network)}`;

/** Path of the network's index. */
export const indexPath = (place: LeasePlace): string => `${stateDirectory(place)}/${stateName(place)}.index`;

/** Start of the names of leases that are being made; no network's name has a "+". */
export const leftoverPrefix = (place: LeasePlace): string => `${stateName(place)}+`;
