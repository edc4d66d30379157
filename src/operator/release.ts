/** `bridgehead release NETWORK ADDRESS|CONTAINER`: frees one lease, and refuses that of a living container (rule O12). */
import { formatIp, parseIp, sameIp } from "../net/ip.ts";
import { timeOfDay } from "../sys/clock.ts";
import { formatAge } from "./age.ts";
import { consents } from "./consent.ts";
import { documentText } from "./document.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import { describeAttachment, free } from "./free.ts";
import { hasOption, type Input } from "./input.ts";
import type { OtherFile } from "./lease-folders.ts";
import { readLeases } from "./lease-report.ts";
import type { JudgedLease } from "./lease-states.ts";
import { wrapped } from "./sentences.ts";
import { printable } from "./table.ts";

/** Says what would be released, and releases it if that is agreed to. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const [name = "", which = ""] = input.arguments;
  const { networks } = await readLeases(input, name);
  const leases = networks.flatMap((network) => network.leases).filter(isNamed(which));
  const found = leases[0];
  const other = networks.flatMap(({ folder }) => folder?.other ?? []).find(isAt(which));
  if (found === undefined && other !== undefined)
    throw new CommandError(
      exitCode.problems,
      `cannot release ${JSON.stringify(which)}: its file ${other.path} ${other.why}; remove the file if nothing else needs it`,
    );
  if (found === undefined)
    throw new CommandError(
      exitCode.problems,
      `cannot release ${JSON.stringify(which)}: network ${JSON.stringify(name)} has no lease of that address or container; see "bridgehead leases ${name}"`,
    );
  const others = new Set(leases.map(({ containerId }) => containerId));
  if (others.size > 1)
    throw new CommandError(
      exitCode.wrongUse,
      `cannot release ${JSON.stringify(which)}: it stands for several containers (${[...others].join(", ")}); give the whole id`,
    );
  const say = (line: string): void => terminal.stdout(`${wrapped(printable(line), terminal.columns)}\n`);
  const now = timeOfDay();
  const isQuiet = hasOption(input, "quiet") || hasOption(input, "json");
  const living = leases.find(({ state }) => state === "alive");
  if (living !== undefined && !hasOption(input, "force"))
    throw new CommandError(
      exitCode.problems,
      `cannot release ${formatIp(living.address)}: ${describeAttachment(living)} has had it for ${formatAge(living.since, now)} and lives: ${living.why}; stop the container, or release it all the same with --force`,
    );
  if (!isQuiet) for (const lease of leases) say(lineOf(lease, now));
  const doing = consents(input, `release ${leases.map(({ address }) => formatIp(address)).join(", ")}?`);
  const released = doing ? await releaseAll(input, leases) : [];
  if (hasOption(input, "json")) {
    const documentOf = (lease: JudgedLease) => ({
      network: lease.network,
      address: formatIp(lease.address),
      containerID: lease.containerId,
      ifname: lease.ifname,
      state: lease.state,
    });
    terminal.stdout(documentText({ leases: leases.map(documentOf), released: released.map(documentOf) }));
  } else if (hasOption(input, "quiet"))
    for (const { address } of doing ? released : leases) terminal.stdout(`${formatIp(address)}\n`);
  else if (released.length > 0)
    say(`released ${released.map(({ address }) => formatIp(address)).join(", ")}`);
  return doing && released.length < leases.length ? exitCode.problems : exitCode.fine;
}

/** By address, by the whole id of the container, or by a beginning of it with at least four characters. */
function isNamed(which: string): (lease: JudgedLease) => boolean {
  const address = parseIp(which);
  if (address !== undefined) return (lease) => sameIp(lease.address, address);
  return ({ containerId }) => containerId === which || (which.length >= 4 && containerId.startsWith(which));
}

/** Whether a file that is not a lease has the name of an address. */
function isAt(which: string): (file: OtherFile) => boolean {
  const wanted = parseIp(which);
  return ({ address }) => wanted !== undefined && address !== undefined && sameIp(address, wanted);
}

const lineOf = (lease: JudgedLease, now: bigint): string =>
  `${lease.network}: ${formatIp(lease.address)} of ${describeAttachment(lease)}, for ${formatAge(lease.since, now)}, ${lease.state}: ${lease.why}`;

/** Only the leases go; rules are gc's. A copy of each is kept for a day. */
async function releaseAll(input: Input, leases: readonly JudgedLease[]): Promise<JudgedLease[]> {
  const released: JudgedLease[] = [];
  const at = timeOfDay();
  const groups = Map.groupBy(
    leases,
    ({ path, ifname }) => `${path.slice(0, path.lastIndexOf("/"))} ${ifname}`,
  );
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const { network, containerId, ifname, path } = first;
    const dataDir = path.slice(0, path.lastIndexOf(`/${network}/`));
    const attachment = { network, containerId, ifname };
    const leaving = { attachment, leases: group, dataDir, network: undefined, withRules: false, at };
    const freed = await free(leaving);
    for (const lease of group) if (freed.leases.includes(lease)) released.push(lease);
    for (const { lease, why } of freed.changed)
      input.terminal.stderr(
        `bridgehead release: cannot release ${formatIp(lease.address)}: ${why}; look again\n`,
      );
  }
  return released;
}
