/** Programs of others from Debian's packages, installed without starting any service. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { installPackages } from "../test/support/apt.ts";
import { distributionFirst } from "../test/support/tools.ts";

/** Asked by a package before it starts its service; 101 means no. */
const POLICY = "/usr/sbin/policy-rc.d";

/**
 * Sees to it that each program (name or path) is there, from the package named for it.
 * @throws Error that names what is missing and how to get it.
 */
export async function provideDebian(
  packageOf: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<void> {
  const PATH = distributionFirst();
  process.env.PATH = PATH;
  const missing = () =>
    Object.keys(packageOf).filter((program) =>
      program.startsWith("/") ? !existsSync(program) : Bun.which(program, { PATH }) === null,
    );
  const absent = missing();
  if (absent.length === 0) return;
  const packages = [...new Set(absent.map((program) => packageOf[program] ?? program))];
  const remedy = `apt-get install ${packages.join(" ")}`;
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) {
    throw new Error(`not on this machine: ${absent.join(", ")}; on Debian, as root: ${remedy}`);
  }
  say(`installing ${packages.join(", ")} with apt-get, for ${absent.join(", ")}`);
  const { stdout, stderr } = await withoutServices(() => installPackages(packages));
  const still = missing();
  if (still.length > 0)
    throw new Error(`cannot install ${still.join(", ")}: \`${remedy}\` said\n${stdout}${stderr}`);
}

/** A daemon that a package starts would work on this machine's own network. */
async function withoutServices<T>(work: () => Promise<T>): Promise<T> {
  if (existsSync(POLICY)) return work();
  writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return await work();
  } finally {
    rmSync(POLICY, { force: true });
  }
}
