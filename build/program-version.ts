/** What `bridgehead --version` says beside the version: the build writes it into the files (src/operator/version-text.ts). */
import { version } from "../package.json";

/** What a file says if its commit is not known, as that of a source archive. */
const UNKNOWN = "unknown";

/** The bundler's flags that define what the files say of themselves. @param engine as in "Bun 1.4.5" */
export const versionFlags = (folder: string, engine: string): string[] =>
  Object.entries({ VERSION: version, COMMIT: commitOf(folder), ENGINE: engine }).map(
    ([name, text]) => `--define=BRIDGEHEAD_${name}=${JSON.stringify(text)}`,
  );

/**
 * The commit of the sources in a folder, whole, since git shortens it by what else its repository holds. "with changes"
 * follows if a tracked file is not as in the commit. Neither depends on the machine or the time, so equal sources of a commit
 * give equal bytes.
 */
export function commitOf(folder: string): string {
  const found = git(folder, "rev-parse", "--show-prefix", "HEAD");
  // A prefix means that the sources lie inside of another repository.
  const commit = found === undefined ? undefined : /^\n([0-9a-f]{40,64})\n$/.exec(found)?.[1];
  if (commit === undefined) return UNKNOWN;
  const changes = git(folder, "status", "--porcelain", "--untracked-files=no");
  return changes === "" ? commit : `${commit} with changes`;
}

/** What git prints; undefined if it fails, or is not installed. */
function git(folder: string, ...words: string[]): string | undefined {
  try {
    const { exitCode, stdout } = Bun.spawnSync(["git", "--no-optional-locks", "-C", folder, ...words]);
    return exitCode === 0 ? stdout.toString() : undefined;
  } catch {
    return undefined;
  }
}
