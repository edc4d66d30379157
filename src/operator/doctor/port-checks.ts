/** What doctor looks at for published ports: programs of the host that listen on one too. */
import { describeMapping } from "../../netfilter/portmap/published.ts";
import type { FoundAttachment } from "../attachments.ts";
import { containerEnd, portDocument } from "../port-document.ts";
import { type PublishedPort, readPorts } from "../port-list.ts";
import { describe } from "./attachment-checks.ts";
import type { Diagnosis, Found } from "./diagnosis.ts";
import type { Subject } from "./host-checks.ts";

/** Podman's monitor of a container holds its ports, only to keep others from them. */
const KEEPER = "conmon";

/** Makes the check for the ports of the `wanted` attachments; with `hasOthers` also for those whose attachment is not known. */
export async function checkPorts(
  diagnosis: Diagnosis,
  subject: Subject,
  wanted: readonly FoundAttachment[],
  hasOthers: boolean,
): Promise<void> {
  await diagnosis.check("ports", "host", "no program of the host has a published one", async () => {
    const { ports } = await readPorts(subject);
    const own = ports.filter(({ attachment }) =>
      attachment === undefined ? hasOthers : wanted.includes(attachment),
    );
    return own.length === 0 ? undefined : takenOf(own);
  });
}

/** The findings. A program that listens on all addresses has the port of both families, which is one finding. */
export function takenOf(ports: readonly PublishedPort[]): Found[] {
  const found = new Map<string, Found>();
  for (const port of ports) {
    const { state, process: holder, mapping, network = "?", containerId = "?", ifname } = port;
    if (state !== "taken" || holder?.program === KEEPER) continue;
    const who =
      holder === undefined
        ? "a program of the host"
        : `process ${holder.pid} (${holder.program}) of the host`;
    const name = describeMapping(mapping);
    const object = describe({ network, containerId, ifname: ifname || "?" });
    const key = `${object} ${name} ${who}`;
    if (found.has(key)) continue;
    found.set(key, {
      code: "BH405",
      object,
      message: `${who} listens on ${name}, and gets no connection: the port leads to ${containerEnd(portDocument(port))}`,
      remedy: `end ${holder === undefined ? "that program" : `process ${holder.pid}`}, or publish another port than ${mapping.hostPort}`,
    });
  }
  return [...found.values()];
}
