/**
 * One storm on the scratch host that this process is in. It ends when there are as many operations as the task says or
 * its time is over, whichever is first, and after that all is taken down again. Progress goes to stderr.
 */
import { mkdirSync } from "node:fs";
import { outputOf } from "../../support/command.ts";
import { hostState } from "../../support/host-state.ts";
import { answerEach } from "../../support/lane.ts";
import { keptBridge, keptForwarding, keptIptablesChains, keptLeaseFolder } from "../../support/leftovers.ts";
import { requireScratchHost } from "../../support/scratch-host.ts";
import { stateDifference } from "../../support/state-difference.ts";
import { randomFrom } from "../part.ts";
import { collect, collectAllBut } from "./collection.ts";
import { clearDebris, deleteNamespace, meddle } from "./hands.ts";
import { heldAddresses, judgeShared } from "./host-wide.ts";
import { endIntrusion, intrude } from "./intrusion.ts";
import type { Attachment, Container } from "./model.ts";
import { LOCAL_PROGRAMS, type StormKind } from "./networks.ts";
import { add, check, del, judgeAbsent, judgeLive, type Random } from "./operations.ts";
import { listRules, missingRules, rulesOf } from "./rules.ts";
import { StormState } from "./storm-state.ts";

export interface StormTask {
  readonly kind: StormKind;
  readonly binaries: string;
  readonly seed: number;
  /** Operations. */
  readonly most: number;
  /** Milliseconds. */
  readonly time: number;
}

export interface StormReport {
  readonly operations: number;
  readonly seconds: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

const WORKERS = 8;
const MOST_TOLD = 8;
const { kind, binaries, seed, most, time } = JSON.parse(process.argv[2] ?? "") as StormTask;
requireScratchHost();
mkdirSync(LOCAL_PROGRAMS, { recursive: true });
await outputOf(["mount", "-n", "-t", "tmpfs", "tmpfs", LOCAL_PROGRAMS]);

const storm = new StormState(binaries, seed, kind);
const baseline = await hostState();
const began = performance.now();
const over = () => storm.failed || storm.operations >= most || performance.now() - began >= time;
let raging = true;
await answerEach(rage);

async function rage(): Promise<StormReport> {
  await intrude(storm, randomFrom(seed ^ 0x10c4ed));
  const watching = watch();
  await Promise.all(Array.from({ length: WORKERS }, (_, index) => work(randomFrom(seed * 31 + index))));
  const seconds = (performance.now() - began) / 1000;
  const { operations } = storm;
  raging = false;
  await endIntrusion(storm);
  await watching;
  await Promise.all(storm.pending);
  await calm();
  const violations = storm.violations.slice(0, MOST_TOLD);
  const more = storm.violations.length - violations.length;
  if (more > 0) violations.push(`and ${more} more`);
  return { operations, seconds, counts: Object.fromEntries(storm.counts), violations };
}

async function work(random: Random): Promise<void> {
  while (!over()) await step(random);
}

async function step(random: Random): Promise<void> {
  const choice = random();
  if (choice < 0.07) return await meddle(storm, random);
  if (choice < 0.095) return await collect(storm, oneOf(storm.networks, random), random);
  if (choice < 0.11) return await rush(random);
  await occupy(oneOf(oneOf(storm.containers, random).attachments, random), async (attachment) => {
    await operateOn(attachment, random);
    // Mostly a runtime takes down at once what went wrong.
    if (attachment.state === "uncertain" && random() < 0.6) await del(storm, attachment, random);
  });
}

/** Does something with an attachment, unless its container is busy or its network is being collected. */
async function occupy(
  attachment: Attachment,
  work: (attachment: Attachment) => Promise<void>,
): Promise<void> {
  const { container } = attachment;
  const gate = storm.gates.get(attachment.network.name);
  if (container.busy || gate?.enter() !== true) return await Bun.sleep(0);
  container.busy = true;
  try {
    await work(attachment);
  } finally {
    container.busy = false;
    gate.leave();
  }
}

/** On the full network some containers die, and several others want their addresses at the same instant. */
async function rush(random: Random): Promise<void> {
  const tight = storm.attachments.filter(({ network, container }) => network.tight && !container.busy);
  const live = tight.filter(({ state, container }) => state === "live" && container.there);
  for (const { container } of live.slice(0, 1 + Math.floor(random() * 2)))
    await deleteNamespace(storm, container);
  const waiting = tight.filter(({ state }) => state === "absent").slice(0, 5);
  for (const { container } of waiting)
    if (!container.there && !container.changing) await makeNamespace(container);
  storm.count("rushes for the addresses of the dead");
  await Promise.all(
    waiting.map((attachment) =>
      occupy(attachment, async () => {
        if (attachment.state === "absent") await add(storm, attachment, random);
      }),
    ),
  );
}

function oneOf<T>(items: readonly T[], random: Random): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("nothing to choose from");
  return item;
}

async function operateOn(attachment: Attachment, random: Random): Promise<void> {
  const choice = random();
  const { container } = attachment;
  if (!container.there && !container.changing && choice < 0.9) await makeNamespace(container);
  if (attachment.state === "absent") {
    if (choice < 0.88) return await add(storm, attachment, random);
    return await del(storm, attachment, random);
  }
  if (attachment.state === "uncertain") {
    if (choice < 0.85) return await del(storm, attachment, random);
    return await add(storm, attachment, random);
  }
  if (choice < 0.38) return await check(storm, attachment, random);
  if (choice < 0.46) return await add(storm, attachment, random);
  return await del(storm, attachment, random);
}

async function makeNamespace(container: Container): Promise<void> {
  container.changing = true;
  await outputOf(["ip", "netns", "add", container.name]);
  container.changing = false;
  container.there = true;
  storm.count("namespaces made");
}

/** Looks at the whole host again and again. Only what nobody touched meanwhile counts. */
async function watch(): Promise<void> {
  let said = performance.now();
  while (raging) {
    await look("in the storm");
    if (performance.now() - said > 20_000) {
      said = performance.now();
      console.error(`${storm.operations} operations, ${storm.violations.length} violations`);
    }
    await Bun.sleep(400);
  }
}

async function look(when: string): Promise<void> {
  const stamps = new Map(storm.attachments.map((attachment) => [attachment, attachment.stamp]));
  const leases = heldAddresses(storm);
  const rules = await listRules();
  if (rules === undefined) return storm.count("looks in vain");
  storm.count("looks at the host");
  judgeShared(storm, rules, new Set([...leases, ...heldAddresses(storm)]), when);
  for (const attachment of storm.attachments) {
    if (attachment.container.busy || stamps.get(attachment) !== attachment.stamp) continue;
    const { key, state } = attachment;
    if (state === "absent") {
      judgeAbsent(storm, attachment, when);
      const left = rulesOf(rules, attachment);
      if (left.length > 0)
        storm.violation(`${when}, rules of ${key} are still there:\n    ${left.join("\n    ")}`, key);
    }
    if (state !== "live") continue;
    judgeLive(storm, attachment, when);
    // A collection without a list that is under way takes the rules of what went while it ran.
    const collected = storm.gates.get(attachment.network.name)?.isClosed && !attachment.isWhole("namespace");
    if (collected || !attachment.isWhole("rules")) continue;
    for (const missing of missingRules(rules, attachment))
      storm.violation(`${when}, ${key}: ${missing}`, key);
  }
}

/** Takes all down again, and compares the host with what it was. */
async function calm(): Promise<void> {
  const random: Random = randomFrom(seed ^ 0x5ca1ab1e);
  // Kills only stop here: what follows must succeed.
  const certain: Random = () => 0.999;
  for (const container of storm.containers) {
    if (container.there && random() < 0.3) {
      await outputOf(["ip", "netns", "delete", container.name]);
      container.there = false;
    }
  }
  const queue = storm.attachments.values();
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      // What was refused for a reason is done again, as a runtime does.
      for (const attachment of queue)
        for (let turn = 0; turn < 3 && attachment.state !== "absent"; turn++)
          await del(storm, attachment, certain);
    }),
  );
  for (const network of storm.networks) await collectAllBut(storm, network, [], {});
  await look("after the storm");
  for (const container of storm.containers)
    if (container.there) await outputOf(["ip", "netns", "delete", container.name]);
  clearDebris(storm);
  const mayStay = [
    ...storm.networks.flatMap(({ name, bridge }) => [...keptBridge(bridge), ...keptLeaseFolder(name)]),
    ...keptForwarding,
    ...keptIptablesChains,
    /^file \/run\/cni\/(tuning\/)? /,
    // Tables that iptables or a plugin made for all stay without rules of anybody.
    /^nft \{"(table|chain)":\{"family":"bridge","(name|table)":"nat"/,
    /^nft \{"(table|chain|rule)":\{"family":"inet","(name|table)":"cni_plugins_masquerade"/,
  ];
  const left = stateDifference(baseline, await hostState(), mayStay);
  if (left.length > 0)
    storm.violation(`after DEL of all the host is not as before:\n    ${left.join("\n    ")}`, "all");
}
