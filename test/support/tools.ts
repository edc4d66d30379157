/**
 * The programs that tests and the demo judge with, and the Debian packages that they come from. A program is taken for
 * what it says that it is: `bridge` is the name of a CNI plugin as well, and busybox has many of these names.
 */
import { basename, delimiter, dirname } from "node:path";
import { installPackages } from "./apt.ts";
import { outcomeOf } from "./command.ts";

interface Program {
  readonly package: string;
  /** Makes it say what it is. */
  readonly option: "-V" | "--version";
  readonly says: RegExp;
}

const from = (packageName: string, option: Program["option"], says: RegExp): Program => ({
  package: packageName,
  option,
  says,
});

const PROGRAMS = {
  bridge: from("iproute2", "-V", /^bridge utility\b/),
  conntrack: from("conntrack", "--version", /^conntrack v/),
  ip: from("iproute2", "-V", /^ip utility, iproute2/),
  "ip6tables-save": from("iptables", "-V", /^ip6tables-save v/),
  "iptables-save": from("iptables", "-V", /^iptables-save v/),
  "linux.uml": from("user-mode-linux", "--version", /^\d+\.\d/),
  modprobe: from("kmod", "-V", /^kmod version/),
  mount: from("mount", "-V", /^mount from util-linux/),
  nft: from("nftables", "--version", /^nftables v/),
  nsenter: from("util-linux", "-V", /^nsenter from util-linux/),
  ping: from("iputils-ping", "-V", /^ping from iputils/),
  script: from("bsdutils", "--version", /^script from util-linux/),
  setpriv: from("util-linux", "-V", /^setpriv from util-linux/),
  strace: from("strace", "-V", /^strace -- version/),
  sysctl: from("procps", "-V", /^sysctl from procps/),
  unshare: from("util-linux", "-V", /^unshare from util-linux/),
} as const satisfies Readonly<Record<string, Program>>;

export type Tool = keyof typeof PROGRAMS;

/** Where distributions put programs. A plain user's PATH may lack the first ones. */
const DISTRIBUTION = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * The value of PATH under which the distribution's programs go before others of their names: a Go `bridge` of
 * `go install`, the plugins of /opt/cni/bin.
 */
export function distributionFirst(): string {
  const others = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...new Set([...DISTRIBUTION, ...others])].join(delimiter);
}

/** What there is of some tools. */
export interface Search {
  /** The value of PATH under which each tool that was found is the first of its name. */
  readonly path: string;
  readonly absent: readonly Tool[];
  /** Programs that have the name of an absent tool and are something else. */
  readonly others: readonly string[];
}

/** Looks for tools along `path`, a value of PATH. */
export async function search(tools: readonly Tool[], path = distributionFirst()): Promise<Search> {
  let folders = path.split(delimiter);
  const found = new Map<Tool, string>();
  const others: string[] = [];
  for (const tool of tools) {
    const program = await find(tool, folders, others);
    if (program === undefined) continue;
    found.set(tool, program);
    // Before a namesake in another folder.
    if (first(tool, folders) !== program) folders = [...new Set([dirname(program), ...folders])];
  }
  const absent = tools.filter((tool) => first(tool, folders) !== found.get(tool));
  const namesakes = others.filter((other) => absent.some((tool) => tool === basename(other)));
  return { path: folders.join(delimiter), absent, others: namesakes };
}

const first = (tool: Tool, folders: readonly string[]): string | null =>
  Bun.which(tool, { PATH: folders.join(delimiter) });

/** The first program of that name which is the tool; those before it are added to `others`. */
async function find(tool: Tool, folders: readonly string[], others: string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = first(tool, [folder]);
    if (path === null) continue;
    if (await isTool(tool, path)) return path;
    others.push(path);
  }
  return undefined;
}

/** Asked without the variables of a plugin call: a plugin of this name then says what it is, and does nothing. */
async function isTool(tool: Tool, path: string): Promise<boolean> {
  const { option, says } = PROGRAMS[tool];
  try {
    const { stdout, stderr } = await outcomeOf([path, option], { env: {} });
    return says.test(stdout) || says.test(stderr);
  } catch {
    // No program of this machine.
    return false;
  }
}

/**
 * Sees to it that all of `tools` can be run by their names, by way of PATH. Installs what is missing with apt-get when
 * that exists and this is root; `say` gets a line before that.
 * @throws Error that names what is missing and how to get it.
 */
export async function provideTools(tools: readonly Tool[], say: (line: string) => void): Promise<void> {
  const { path, absent, others } = await search(tools);
  process.env.PATH = path;
  if (absent.length === 0) return;
  const packages = [...new Set(absent.map((tool) => PROGRAMS[tool].package))];
  const remedy = `apt-get install ${packages.join(" ")}`;
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) {
    throw new Error(
      `not on this machine: ${absent.join(", ")}${butFor(others)}; on Debian, as root: ${remedy}`,
    );
  }
  say(`installing ${packages.join(", ")} with apt-get, for ${absent.join(", ")}`);
  const outcome = await installPackages(packages);
  const after = await search(tools);
  process.env.PATH = after.path;
  if (after.absent.length > 0) {
    throw new Error(
      `cannot install ${after.absent.join(", ")}${butFor(after.others)}: ` +
        `\`${remedy}\` said\n${outcome.stdout}${outcome.stderr}`,
    );
  }
}

const butFor = (others: readonly string[]): string =>
  others.length === 0 ? "" : ` (something else: ${others.join(", ")})`;
