/** The programs that kernel tests and the demo judge with, and the Debian packages that they come from. */
import { type Outcome, outcomeOf } from "./command.ts";

const PACKAGES = {
  bridge: "iproute2",
  conntrack: "conntrack",
  ip: "iproute2",
  "ip6tables-save": "iptables",
  "iptables-save": "iptables",
  "linux.uml": "user-mode-linux",
  modprobe: "kmod",
  mount: "mount",
  nft: "nftables",
  nsenter: "util-linux",
  ping: "iputils-ping",
  setpriv: "util-linux",
  strace: "strace",
  sysctl: "procps",
  unshare: "util-linux",
} as const;

export type Tool = keyof typeof PACKAGES;

/** Those of `tools` that are not on PATH. /usr/sbin is looked into as well: a plain user's PATH may lack it. */
const missing = (tools: readonly Tool[]): Tool[] =>
  tools.filter((tool) => Bun.which(tool, { PATH: searchPath() }) === null);

const searchPath = () => `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;

/**
 * Sees to it that all of `tools` can be run, and puts their folders on PATH. Installs what is missing with apt-get
 * when that exists and this is root; `say` gets a line before that.
 * @throws Error that names what is missing and how to get it.
 */
export async function provideTools(tools: readonly Tool[], say: (line: string) => void): Promise<void> {
  process.env.PATH = searchPath();
  const absent = missing(tools);
  if (absent.length === 0) return;
  const packages = [...new Set(absent.map((tool) => PACKAGES[tool]))];
  const remedy = `apt-get install ${packages.join(" ")}`;
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) {
    throw new Error(`not on this machine: ${absent.join(", ")}; on Debian, as root: ${remedy}`);
  }
  say(`installing ${packages.join(", ")} with apt-get, for ${absent.join(", ")}`);
  const install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...packages];
  const attempt = (): Promise<Outcome> =>
    outcomeOf(install, {
      env: { ...definedEnvironment(), DEBIAN_FRONTEND: "noninteractive" },
      timeout: 600_000,
    });
  let outcome = await attempt();
  if (outcome.exitCode !== 0) {
    // A fresh machine has no package lists, or old ones.
    await outcomeOf(["apt-get", "update", "-qq"], { timeout: 600_000 });
    outcome = await attempt();
  }
  const still = missing(tools);
  if (still.length > 0) {
    throw new Error(
      `cannot install ${still.join(", ")}: \`${remedy}\` said\n${outcome.stdout}${outcome.stderr}`,
    );
  }
}

function definedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
