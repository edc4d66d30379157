/** What a runtime does after a plugin was disturbed, and what must hold then. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Outcome } from "../support/command.ts";
import type { Problem } from "./job.ts";
import { NETWORK, SUBJECT } from "./scenario.ts";
import { addressesOf, type Scene } from "./scene.ts";

const LEASES = `/var/lib/cni/networks/${NETWORK}`;

/** Leases that are not whole: a reader takes an empty or cut one for nobody's or another container's. */
export function halfLeases(): Problem[] {
  const names = existsSync(LEASES) ? readdirSync(LEASES) : [];
  return names
    .filter((name) => name !== "lock" && !name.startsWith("last_reserved_ip."))
    .flatMap((name) => {
      const content = readFileSync(`${LEASES}/${name}`, "utf8");
      if (/^c[12]\r\neth0$/.test(content)) return [];
      return [{ what: "half a lease", text: `${name} holds ${JSON.stringify(content)}` }];
    });
}

/** ADD, CHECK, DEL of the subject on a host that must be as at the start; and after that it must be so again. */
export async function liveAgain(scene: Scene, options: { skeleton: boolean }): Promise<Problem[]> {
  const added = await scene.call("ADD", SUBJECT);
  if (added.exitCode !== 0) return failureOf(added, "no fresh ADD", "a fresh ADD fails");
  const twice = addressesOf(added.stdout).filter((address) => scene.neighbourAddresses().includes(address));
  const prevResult = { prevResult: added.stdout };
  const checked = await scene.call("CHECK", SUBJECT, prevResult);
  const neighbour = await scene.neighbourProblems();
  const deleted = await scene.call("DEL", SUBJECT, prevResult);
  return [
    ...twice.map((address) => ({
      what: "address twice",
      text: `a fresh ADD gave ${address}, which the neighbour has`,
    })),
    ...failureOf(checked, "CHECK fails", "CHECK of a fresh ADD fails"),
    ...neighbour,
    ...failureOf(deleted, "DEL fails", "DEL of a fresh ADD fails"),
    ...(await scene.leftovers(options)),
  ];
}

/** The problem that a call failed, or none. */
export const failureOf = (
  outcome: Pick<Outcome, "exitCode" | "stdout" | "stderr">,
  what: string,
  text: string,
) => (outcome.exitCode === 0 ? [] : [{ what, text: `${text}: ${said(outcome)}` }]);

export const said = ({ exitCode, stdout, stderr }: Pick<Outcome, "exitCode" | "stdout" | "stderr">): string =>
  [`exit code ${exitCode}`, stdout.trim() || "no output", stderr === "" ? "" : `stderr ${stderr.trim()}`]
    .filter((part) => part !== "")
    .join(", ")
    .replaceAll(/\s*\n\s*/g, " ");
