/** What a runtime does after a plugin was disturbed, and what must hold then. */
import { readdirSync, readFileSync } from "node:fs";
import type { Problem } from "./job.ts";
import { NETWORK, SUBJECT } from "./scenario.ts";
import { addressesOf, type Scene, type Traced } from "./scene.ts";

const LEASES = `/var/lib/cni/networks/${NETWORK}`;

/** Leases that are not whole: a reader takes an empty or cut one for nobody's or somebody else's. */
export function halfLeases(): Problem[] {
  let names: string[];
  try {
    names = readdirSync(LEASES);
  } catch {
    return [];
  }
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
  if (added.exitCode !== 0) return [{ what: "no fresh ADD", text: `a fresh ADD fails: ${said(added)}` }];
  const addresses = addressesOf(added.stdout);
  const twice = addresses.filter((address) => scene.neighbourAddresses().includes(address));
  const checked = await scene.call("CHECK", SUBJECT, { prevResult: added.stdout });
  const neighbour = await scene.neighbourProblems();
  const deleted = await scene.call("DEL", SUBJECT, { prevResult: added.stdout });
  return [
    ...twice.map((address) => ({
      what: "address twice",
      text: `a fresh ADD gave ${address}, which the neighbour has`,
    })),
    ...(checked.exitCode === 0
      ? []
      : [{ what: "CHECK fails", text: `CHECK of a fresh ADD fails: ${said(checked)}` }]),
    ...neighbour,
    ...(deleted.exitCode === 0
      ? []
      : [{ what: "DEL fails", text: `DEL of a fresh ADD fails: ${said(deleted)}` }]),
    ...(await scene.leftovers(options)),
  ];
}

export const said = ({ exitCode, stdout, stderr }: Traced): string =>
  `exit code ${exitCode}, ${stdout.trim() || "no output"}${stderr === "" ? "" : `, stderr ${stderr.trim()}`}`.replaceAll(
    /\s*\n\s*/g,
    " ",
  );
