/** What a runtime keeps of an attachment: a file in libcni's cache, as its api.go writes it. */
import { writeFileSync } from "node:fs";
import { NETWORK } from "../bridge/network.ts";

/** An attachment of the network of the tests. */
interface Kept {
  readonly containerId: string;
  readonly netns: string;
  /** That of ADD. */
  readonly result: object;
  /** The network's configuration, if the file has it. */
  readonly config?: object;
  readonly capabilityArgs?: object;
}

/** The file of an attachment by eth0 in the cache in a folder. */
export const keptFile = (folder: string, containerId: string): string =>
  `${folder}/results/${NETWORK}-${containerId}-eth0`;

/** Writes that file, or another one in its place. */
export function keep(
  folder: string,
  { config, ...kept }: Kept,
  file = keptFile(folder, kept.containerId),
): void {
  const document = {
    ...{ kind: "cniCacheV1", ifName: "eth0", networkName: NETWORK, ...kept },
    ...(config && { config: Buffer.from(JSON.stringify(config)).toString("base64") }),
  };
  writeFileSync(file, JSON.stringify(document));
}
