/** What this program is, in front of its help and in its manual. */
import { REFERENCE_LEVEL } from "../cni/version.ts";

/** The text in front of the list of commands. Nomad reads the version from its first line. */
export const about = (version: string, plugins: readonly string[]): string => `bridgehead ${version}
CNI plugins in one file that behave like containernetworking/plugins v${REFERENCE_LEVEL}:
${plugins.join(", ")}.
The name of the file decides which one runs; container runtimes call them by
the CNI contract. Under the name bridgehead it serves the operator: it shows
what these plugins, and those of the reference, have made on this host. To look
is the default; what changes anything asks, or needs --yes.
`;
