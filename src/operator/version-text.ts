/** What `bridgehead --version` prints, of both files. */
import { REFERENCE_LEVEL } from "../cni/version.ts";

/** Set by the build: the commit of the sources, and the JavaScript engine (build/program-version.ts). */
declare const BRIDGEHEAD_COMMIT: string;
declare const BRIDGEHEAD_ENGINE: string;

/** The text. Scripts, and `install`, read only the first line (docs/conformance.md). */
export const versionText = (version: string): string => `bridgehead ${version}
commit ${typeof BRIDGEHEAD_COMMIT === "string" ? BRIDGEHEAD_COMMIT : "unknown"}
engine ${typeof BRIDGEHEAD_ENGINE === "string" ? BRIDGEHEAD_ENGINE : "unknown"}
behaves like containernetworking/plugins v${REFERENCE_LEVEL}
`;
