/** Debian's package manager, for the programs that tests judge with. */
import { type Outcome, outcomeOf } from "./command.ts";
import { JOB_LIMIT } from "./limits.ts";

/** Asks nothing, and waits for another suite that is installing its own packages. */
const APT_GET = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq"];

/** Installs packages, without those that they only recommend. A fresh machine has no package lists, or old ones. */
export async function installPackages(packages: readonly string[]): Promise<Outcome> {
  const install = [...APT_GET, "install", "-y", "--no-install-recommends", ...packages];
  const first = await outcomeOf(install, { timeout: JOB_LIMIT });
  if (first.exitCode === 0) return first;
  await updateLists();
  return outcomeOf(install, { timeout: JOB_LIMIT });
}

/** Fetches the lists of what there is. */
export const updateLists = (): Promise<Outcome> => outcomeOf([...APT_GET, "update"], { timeout: JOB_LIMIT });
