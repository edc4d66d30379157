/** The report of `gc --report`, which `gc --from-report` acts on: what has changed since is skipped and named (rule O11). */
import { formatIp } from "../net/ip.ts";
import { writeAll } from "../sys/descriptor.ts";
import { SystemError } from "../sys/errno.ts";
import { fsync, ftruncate, O, readText, withFile } from "../sys/file.ts";
import { documentText } from "./document.ts";
import { CommandError, exitCode } from "./exit-codes.ts";
import type { Candidate, CandidateMaker } from "./gc-candidates.ts";
import type { LeaseReport } from "./lease-report.ts";
import type { JudgedLease } from "./lease-states.ts";
import { isDocument } from "./networks.ts";

/** Writes the report. @throws CommandError */
export function writeReport(file: string, candidates: readonly Candidate[]): void {
  const text = documentText({
    kind: "bridgehead-gc",
    leases: candidates.flatMap(({ leases, why }) =>
      leases.map((lease) => ({
        path: lease.path,
        address: formatIp(lease.address),
        containerID: lease.containerId,
        ifname: lease.ifname,
        ...stampOf(lease),
        why,
      })),
    ),
  });
  try {
    withFile(file, O.WRONLY | O.CREAT, 0o600, (fd) => {
      ftruncate(fd, 0);
      writeAll(fd, new TextEncoder().encode(text));
      fsync(fd);
    });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new CommandError(
      exitCode.problems,
      `cannot write the report to ${JSON.stringify(file)}: ${error.message}`,
    );
  }
}

const stampOf = ({ file: { status } }: JudgedLease) => ({
  inode: status?.inode ?? "",
  changed: String(status?.changed ?? ""),
});

/** What the report allows now, and what of it has changed. */
export interface FromReport {
  readonly leaving: readonly Candidate[];
  /** In whole sentences. */
  readonly skipped: readonly string[];
}

/** Reads a report. `candidateOf` makes a candidate of an attachment's leases, which are not empty. @throws CommandError */
export function readReport(file: string, report: LeaseReport, candidateOf: CandidateMaker): FromReport {
  const skipped: string[] = [];
  const now = new Map(
    report.networks.flatMap(({ leases }) => leases.map((lease) => [lease.path, lease] as const)),
  );
  const same = entriesOf(file).flatMap(({ path, address, containerID, inode, changed, why }) => {
    const lease = now.get(String(path));
    const skip = (state: string): [] => {
      skipped.push(`skipped ${address} of container ${containerID}: ${state} since the report`);
      return [];
    };
    if (lease === undefined) return skip("it was released");
    if (lease.containerId !== containerID) return skip("it was given to another container");
    const stamp = stampOf(lease);
    if (stamp.inode !== inode || stamp.changed !== changed) return skip("it was written anew");
    if (lease.state === "alive") return skip("it has come to life");
    return [{ lease, why: String(why) }];
  });
  const groups = Map.groupBy(
    same,
    ({ lease: { path, network, containerId, ifname } }) =>
      `${path.slice(0, path.lastIndexOf("/"))} ${network} ${containerId} ${ifname}`,
  );
  const leaving = [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : candidateOf([first.lease, ...others.map(({ lease }) => lease)], first.why),
  );
  return { leaving, skipped };
}

function entriesOf(file: string): Readonly<Record<string, unknown>>[] {
  const fail = (state: string): never => {
    throw new CommandError(
      exitCode.cannotTell,
      `cannot read the report ${JSON.stringify(file)}: ${state}; make one with "bridgehead gc --report FILE"`,
    );
  };
  try {
    const json: unknown = JSON.parse(readText(file));
    if (!isDocument(json) || json.kind !== "bridgehead-gc") return fail("it is not a report of gc");
    const { leases } = json;
    return Array.isArray(leases) && leases.every(isDocument) ? leases : fail("it has no list of leases");
  } catch (error) {
    if (error instanceof SystemError) return fail(error.message);
    if (error instanceof SyntaxError) return fail("it is not JSON");
    throw error;
  }
}
