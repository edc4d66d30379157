/** A process without any privilege that holds what it can all the while, now these things and now those. */
import { existsSync, readdirSync } from "node:fs";
import { type Hold, INTRUDER, Intruder } from "../../support/intruder.ts";
import { LOCK_FOLDER } from "../../support/leftovers.ts";
import { LEASES } from "./networks.ts";
import type { Random } from "./operations.ts";
import type { StormState } from "./storm-state.ts";

/** In turn: the one that stops most is the first. */
const HOLDS: readonly Hold[] = ["exclusive", "shared", "exclusive, again and again"];

/**
 * Locks all that user 65534 can open until the next intrusion, which is longer than any call waits. It explains no
 * failure: nothing may wait for it.
 */
export async function intrude(storm: StormState, random: Random): Promise<void> {
  // Two at the same time would wait for each other.
  if (storm.isIntruding) return;
  storm.isIntruding = true;
  await endIntrusion(storm);
  const folders = [LOCK_FOLDER, LEASES, ...storm.networks.map(({ name }) => `${LEASES}/${name}`)];
  const inside = folders.flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((name) => `${folder}/${name}`) : [],
  );
  // Of containers one, which goes on living when its name is gone: the addresses of the others must come free.
  const single = ["/proc/self/ns/net", storm.containers[0]?.path ?? "", "/run/xtables.lock"];
  const paths = [...new Set([...single, ...folders, ...inside])].filter(existsSync);
  const hold = HOLDS[(storm.counts.get("intrusions") ?? 0) % HOLDS.length] ?? "exclusive";
  const group = INTRUDER.groups[Math.floor(random() * INTRUDER.groups.length)] ?? INTRUDER.user;
  const { intruder, held } = await Intruder.on(hold, group, paths);
  storm.intruder = intruder;
  storm.isIntruding = false;
  storm.count("intrusions");
  storm.count("things that user 65534 held", held.length);
  storm.history.note(`by hand: user ${INTRUDER.user} holds ${held.length} things (${hold})`, "all");
}

export async function endIntrusion(storm: StormState): Promise<void> {
  const { intruder } = storm;
  storm.intruder = undefined;
  await intruder?.[Symbol.asyncDispose]();
}
