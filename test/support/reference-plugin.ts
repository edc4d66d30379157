/** The reference's plugins, if this machine has them: Debian's package containernetworking-plugins, or a folder. */
import { existsSync } from "node:fs";

const folder = process.env.BRIDGEHEAD_REFERENCE_DIR ?? "/usr/lib/cni";

/** Path of a plugin of the reference. */
export const referencePlugin = (name: string): string => `${folder}/${name}`;

/** Why tests beside the reference can't run here; undefined if they can. */
export const whyNoReference = (name: string): string | undefined =>
  existsSync(referencePlugin(name)) ? undefined : `no reference ${name} in ${folder}`;
