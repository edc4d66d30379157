/** GC of a network: the runtime's list decides; what is on it stays as it is, all else goes. */
import { errorObject } from "../../support/protocol.ts";
import { call, offences } from "./call.ts";
import { leaseFiles } from "./eyes.ts";
import type { Attachment } from "./model.ts";
import type { Network } from "./networks.ts";
import { isExcused, judgeAbsent, judgeLive, killTime, LOCKS, type Random } from "./operations.ts";
import { listRules, rulesOf } from "./rules.ts";
import type { StormState } from "./storm-state.ts";

/** Of the live ones, those that the runtime has lost without a DEL, as after a crash. */
const FORGOTTEN = 0.08;

export async function collect(storm: StormState, network: Network, random: Random): Promise<void> {
  const gate = storm.gates.get(network.name);
  if (gate === undefined || !(await gate.close())) return;
  try {
    const ours = storm.attachments.filter((attachment) => attachment.network === network);
    if (random() < 0.15) return await refuse(storm, network, ours);
    if (random() < 0.3) {
      const options = { ...killTime(storm, network, random), list: null };
      return await collectAllBut(storm, network, ours.filter(isAlive), options);
    }
    const listed = ours.filter(({ state }) =>
      state === "live" ? random() >= FORGOTTEN : state === "uncertain" && random() < 0.5,
    );
    await collectAllBut(storm, network, listed, killTime(storm, network, random));
  } finally {
    gate.open();
  }
}

/** Without a list nothing is known, so nothing may go (rule A39). */
async function refuse(storm: StormState, network: Network, ours: readonly Attachment[]): Promise<void> {
  const ended = await call(storm.binaries, network, { command: "GC" });
  storm.operations++;
  storm.count("GC");
  const failure = errorObject(ended.stdout);
  storm.history.note(
    `#${storm.operations} GC of ${network.name} without a list: ${failure?.msg}`,
    network.name,
  );
  if (failure?.code !== 7) storm.violation(`GC of ${network.name} without a list: ${JSON.stringify(ended)}`);
  for (const attachment of ours)
    if (isQuiet(attachment)) judgeLive(storm, attachment, "after a GC without a list");
}

/** Whether a collection without a list must leave it alone: its interface is in a namespace that lives. */
const isAlive = (attachment: Attachment): boolean =>
  attachment.state === "live" && attachment.container.there && attachment.isWhole("namespace", "link");

const isQuiet = ({ state, container }: Attachment): boolean => state === "live" && !container.busy;

/**
 * GC with a list, and what must be after it. `list: null` is sent by a runtime that knows of no container: then what
 * lives stays (rule A39), and `listed` is what surely does.
 */
export async function collectAllBut(
  storm: StormState,
  network: Network,
  listed: readonly Attachment[],
  { killAfter, list }: { killAfter?: number; list?: null },
): Promise<void> {
  const ours = storm.attachments.filter((attachment) => attachment.network === network);
  const unlisted = ours.filter((attachment) => !listed.includes(attachment));
  // Whose container is busy with a CHECK or in another network counts all the same: nothing is done to these here.
  for (const attachment of unlisted) {
    attachment.stamp++;
    if (attachment.state === "live") attachment.state = "uncertain";
  }
  const valid = listed.map(({ container, ifname }) => ({ containerID: container.name, ifname }));
  const ended = await call(storm.binaries, network, {
    command: "GC",
    shared: { "cni.dev/valid-attachments": list === null ? null : valid },
    ...(killAfter !== undefined && { killAfter }),
  });
  storm.operations++;
  storm.count(list === null ? "GC with null" : "GC");
  const subjects = ours.map(({ key }) => key);
  const failure = errorObject(ended.stdout);
  const outcome = ended.killed ? "killed" : `exit ${ended.exitCode}`;
  storm.history.note(
    `#${storm.operations} GC of ${network.name} ${list === null ? "with null" : ""} but ${valid.map(({ containerID }) => containerID)}: ${outcome} ` +
      `${failure?.msg ?? ""} stderr: ${ended.stderr.trim()}`,
    network.name,
    ...subjects,
  );
  for (const attachment of listed) {
    if (isQuiet(attachment))
      judgeLive(storm, attachment, `after a GC that must leave it (#${storm.operations})`);
    // Its namespace went meanwhile: the collection may have seen that.
    if (list === null && attachment.state === "live" && !isAlive(attachment)) attachment.become("uncertain");
  }
  if (ended.killed) return storm.count("GC killed");
  for (const offence of offences("GC", ended))
    storm.violation(`GC of ${network.name}: ${offence}: ${JSON.stringify(ended)}`);
  if (ended.exitCode !== 0) {
    if (!isExcused(storm, ended, LOCKS, network.name))
      storm.violation(`GC of ${network.name} failed: ${failure?.msg}`, network.name);
    return;
  }
  storm.count("collected attachments", unlisted.filter(({ state }) => state === "uncertain").length);
  if (list !== null && valid.length > 0) await judgeCollected(storm, network, unlisted);
  for (const attachment of unlisted) {
    attachment.forgetGiven(ended.began);
    // An empty list leaves what lives.
    if ((list === null || valid.length === 0) && attachment.state !== "absent") continue;
    if (attachment.state === "absent") judgeAbsent(storm, attachment, "after a GC that does not list it");
    else judgeNoLease(storm, attachment);
  }
  for (const attachment of ours) {
    // Owners that the storm has written into lease files are on no list.
    for (const [path, { kind, since }] of attachment.edited)
      if (kind === "owner" && since < ended.began) attachment.edited.delete(path);
  }
}

/** No rule of what was not listed: nobody else works on the network until the collection is over. */
async function judgeCollected(
  storm: StormState,
  network: Network,
  unlisted: readonly Attachment[],
): Promise<void> {
  if (network.behind === undefined) return;
  const rules = await listRules();
  if (rules === undefined) return storm.count("looks in vain");
  for (const attachment of unlisted) {
    const left = rulesOf(rules, attachment);
    if (left.length > 0)
      storm.violation(
        `after a GC that does not list ${attachment.key} its rules are there:\n    ${left.join("\n    ")}`,
        attachment.key,
      );
  }
}

function judgeNoLease(storm: StormState, { network, owner, key, given }: Attachment): void {
  if (given !== undefined) return;
  for (const [name, content] of leaseFiles(network.name)) {
    if (content === owner)
      storm.violation(`after a GC that does not list ${key} its lease ${name} is still there`, key, name);
  }
}
