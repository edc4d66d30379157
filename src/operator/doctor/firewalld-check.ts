/** Whether a reload of firewalld has removed rules of living containers: it removes those of all programs (rule O13). */
import { isRunning } from "../../netfilter/firewalld/firewalld.ts";
import type { HostState } from "../attachments.ts";
import { patientsOf } from "../repair/patient.ts";
import type { Found } from "./diagnosis.ts";

/** Only where firewalld runs; elsewhere CHECK of each attachment tells. */
export async function lostByReload(host: HostState): Promise<Found[] | undefined> {
  if (!isRunning()) return undefined;
  const all = patientsOf(host, () => {});
  const hurt: string[] = [];
  for (const patient of all) {
    const look = await patient.look(all);
    if (look.state === "alive" && look.losses.some(({ putBack }) => putBack !== undefined))
      hurt.push(patient.attachment.containerId.slice(0, 13));
  }
  if (hurt.length === 0) return [];
  const message = `firewalld runs, and ${hurt.length === 1 ? "container" : "containers"} ${hurt.join(", ")} ${hurt.length === 1 ? "has" : "have"} lost rules or sources, as after its reload or restart`;
  return [{ code: "BH214", object: "firewalld", message, remedy: "bridgehead repair --yes" }];
}
