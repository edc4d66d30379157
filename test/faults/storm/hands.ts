/** What is done to the host by hand, or by other programs, while plugins work on it. */
// Long because: one function for each kind of damage, all of them short.
import { existsSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { outcomeOf } from "../../support/command.ts";
import { textOf } from "./eyes.ts";
import type { Flush } from "./flushes.ts";
import type { FaultKind } from "./history.ts";
import { intrude } from "./intrusion.ts";
import type { Attachment, Container, Part } from "./model.ts";
import { LEASES, LOCAL_PROGRAMS } from "./networks.ts";
import type { Random } from "./operations.ts";
import type { StormState } from "./storm-state.ts";

/** Does one thing by chance. */
export async function meddle(storm: StormState, random: Random): Promise<void> {
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
  const live = storm.attachments.filter(({ state }) => state === "live");
  const deeds: readonly (readonly [number, () => Promise<void> | void])[] = [
    [24, () => deleteNamespace(storm, pick(storm.containers.filter(({ there }) => there)))],
    [14, () => removeLink(storm, pick(live), random)],
    [30, () => renameLink(storm, pick(live))],
    [3, () => intrude(storm, random)],
    [1, () => removeBridge(storm, pick(storm.networks)?.bridge ?? "")],
    [4, () => flushRules(storm, pick(storm.flushes))],
    [26, () => editLease(storm, pick(live.filter(({ container }) => !container.busy)), random)],
    [5, () => holdLock(storm, "xtables lock held", "all", "/run/xtables.lock", 0.05 + random() ** 2 * 2)],
    [7, () => holdLeaseLock(storm, pick(storm.networks)?.name ?? "", 0.05 + random() ** 2)],
    [8, () => keepRuleSetBusy(storm)],
    [4, () => changeIptables(storm)],
    [5, () => damageStateFiles(storm, pick(storm.networks)?.name ?? "", random)],
  ];
  let left = random() * deeds.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, deed] of deeds) {
    left -= weight;
    if (left <= 0) return await deed();
  }
}

interface Damage {
  readonly kind: FaultKind;
  readonly scope: string;
  readonly part: Part;
  hit(): readonly Attachment[];
  /** Whether an attachment that is hit may have the part all the same. */
  readonly uncertain?: boolean;
}

/** Runs a command that damages a part of some attachments, and marks them. */
async function damage(storm: StormState, command: string | readonly string[], about: Damage): Promise<void> {
  const fault = storm.history.begin(about.kind, about.scope);
  for (const attachment of about.hit())
    if (attachment.state === "live") attachment.harm(about.part, "doubtful");
  const done = await works(command);
  storm.history.end(fault);
  storm.count(about.kind);
  const what = typeof command === "string" ? command : command.join(" ");
  const keys = about.hit().map(({ key }) => key);
  storm.history.note(`by hand: ${what}${done ? "" : " (refused)"}`, about.scope, ...keys);
  if (!done) return;
  for (const attachment of about.hit()) {
    const lost = about.uncertain !== true && attachment.liveSince < fault.begin;
    if (attachment.state === "live") attachment.harm(about.part, lost ? "lost" : "doubtful");
  }
}

/** Damages something that is no part of one attachment. `deed` says what it did. */
function spoil(storm: StormState, kind: FaultKind, scope: string, deed: () => string): void {
  const fault = storm.history.begin(kind, scope);
  const what = deed();
  storm.history.end(fault);
  storm.count(kind);
  storm.history.note(`by hand: ${what}`, scope);
}

/** What goes on beside the workers. */
function keepOn(
  storm: StormState,
  kind: FaultKind,
  scope: string,
  what: string,
  work: Promise<unknown>,
): void {
  const fault = storm.history.begin(kind, scope);
  storm.count(kind);
  storm.history.note(`by hand: ${what}`, scope);
  storm.background(work.then(() => storm.history.end(fault)));
}

const works = async (command: string | readonly string[], stdin?: string): Promise<boolean> =>
  (await outcomeOf(command, stdin === undefined ? {} : { stdin })).exitCode === 0;

/** Deletes the name and mount of a namespace, and with it the namespace: nothing else keeps it. */
export async function deleteNamespace(storm: StormState, container: Container | undefined): Promise<void> {
  if (container === undefined || container.changing) return;
  container.there = false;
  container.changing = true;
  const hit = () => container.attachments;
  const about = { kind: "namespace deleted", scope: container.name, part: "namespace", hit } as const;
  await damage(storm, ["ip", "netns", "delete", container.name], about);
  container.changing = false;
}

async function removeLink(
  storm: StormState,
  attachment: Attachment | undefined,
  random: Random,
): Promise<void> {
  // What a GC with an empty list finds living must go on living while it looks.
  if (attachment?.result === undefined || storm.gates.get(attachment.network.name)?.isClosed !== false)
    return;
  const { key, container, ifname, result, renamed } = attachment;
  const veth = result.interfaces[1]?.name ?? "";
  const command =
    random() < 0.5 && !renamed
      ? ["ip", "link", "delete", veth]
      : ["ip", "-n", container.name, "link", "delete", ifname];
  await damage(storm, command, { kind: "link removed", scope: key, part: "link", hit: () => [attachment] });
}

/** Some programs that watch for new links give them names of their own. */
async function renameLink(storm: StormState, attachment: Attachment | undefined): Promise<void> {
  if (attachment?.result === undefined || attachment.renamed) return;
  const veth = attachment.result.interfaces[1]?.name ?? "";
  const name = veth.replace("veth", "own");
  attachment.renamed = true;
  attachment.stamp++;
  // A spoof check names the port: the old name's is stale, and any GC may remove it.
  if (attachment.network.spoofCheck) attachment.harm("rules", "doubtful");
  const done = await works(["ip", "link", "set", "dev", veth, "name", name]);
  // It may have come to another life of the attachment meanwhile.
  attachment.renamed ||= done;
  storm.count("link renamed");
  const { key } = attachment;
  storm.history.note(`by hand: ${veth} of ${key} is ${name} now${done ? "" : " (refused)"}`, key);
}

async function removeBridge(storm: StormState, bridge: string): Promise<void> {
  const hit = () => storm.attachments.filter(({ network }) => network.bridge === bridge);
  const about = { kind: "bridge removed", scope: bridge, part: "bridge", hit } as const;
  await damage(storm, ["ip", "link", "delete", bridge], about);
}

/** What a firewall does when it is reloaded. */
async function flushRules(storm: StormState, flush: Flush | undefined): Promise<void> {
  if (flush === undefined) return;
  const { command, hits, uncertain } = flush;
  const hit = () => storm.attachments.filter(({ network }) => hits(network));
  await damage(storm, command, { kind: "rules flushed", scope: "all", part: "rules", hit, uncertain });
}

/** Writes into the file of a lease, in place, as an editor may. */
function editLease(storm: StormState, attachment: Attachment | undefined, random: Random): void {
  if (attachment === undefined || !attachment.isWhole("lease", "namespace")) return;
  const { key, network, owner, addresses } = attachment;
  const address = addresses[Math.floor(random() * addresses.length)] ?? "";
  const path = `${LEASES}/${network.name}/${address}`;
  if (textOf(path) !== owner) return;
  const fault = storm.history.begin("lease edited", key);
  const choice = random();
  let what: string;
  let given: Attachment | undefined;
  // With an attachment of two addresses the other lease is enough for CHECK and is released by DEL as ever.
  const health = addresses.length === 1 ? "lost" : "doubtful";
  if (choice < 0.25) {
    what = "garbage";
    const content = `\u0001 garbage ${Math.floor(random() * 1e9)}\n\n`;
    writeFileSync(path, content);
    attachment.edited.set(path, { content, kind: "garbage", since: performance.now() });
  } else if (choice < 0.6) {
    what = "emptied";
    writeFileSync(path, "");
    storm.emptied.add(path);
  } else if (choice < 0.75) {
    what = "removed";
    rmSync(path);
  } else {
    const others = storm.attachments.filter((other) => other.network === network && other !== attachment);
    // What is written in place into another's file is found sooner or later (decision 0007): with many leases too late here.
    const isFound = network.behind === undefined;
    const other = isFound && random() < 0.4 ? others[Math.floor(random() * others.length)] : undefined;
    const content = other?.owner ?? `intruder${Math.floor(random() * 1e9)}\r\neth0`;
    what = `owner is now ${JSON.stringify(content)}`;
    writeFileSync(path, content);
    given = other;
    if (other !== undefined) other.given = performance.now();
    else attachment.edited.set(path, { content, kind: "owner", since: performance.now() });
    if (other?.state === "live") other.harm("lease", "doubtful");
  }
  attachment.harm("lease", health);
  storm.history.end(fault);
  storm.count("lease edited");
  storm.history.note(`by hand: lease ${address} of ${key}: ${what}`, key, address, given?.key ?? key);
}

/** Another program that works long under a lock. Goes on beside the workers. */
function holdLock(storm: StormState, kind: FaultKind, scope: string, path: string, seconds: number): void {
  const time = seconds.toFixed(2);
  keepOn(storm, kind, scope, `${path} is held for ${time} s`, works(["flock", path, "sleep", time]));
}

function holdLeaseLock(storm: StormState, network: string, seconds: number): void {
  const path = `${LEASES}/${network}/lock`;
  if (existsSync(path)) holdLock(storm, "lease lock held", network, path, seconds);
}

/** One transaction at a time changes the rules of a host: a large one keeps all others waiting, or makes them retry. */
function keepRuleSetBusy(storm: StormState): void {
  const elements = Array.from({ length: 4000 }, (_, index) => `10.${index >> 8}.${index & 255}.1`).join(",");
  const table = "table ip storm { set s { type ipv4_addr; elements = { ";
  const work = works(["nft", "-f", "-"], `${table}${elements} }; }; }\n`).then(() =>
    works(["nft", "delete", "table", "ip", "storm"]),
  );
  keepOn(storm, "rule set kept busy", "all", "a large transaction of nft", work);
}

/** An administrator makes the other variant the host's iptables. Rules stay where they are. */
function changeIptables(storm: StormState): void {
  spoil(storm, "other iptables", "all", () => {
    const toLegacy = !existsSync(`${LOCAL_PROGRAMS}/iptables-restore`);
    for (const family of ["iptables", "ip6tables"]) {
      const path = `${LOCAL_PROGRAMS}/${family}-restore`;
      if (!toLegacy) rmSync(path);
      else {
        symlinkSync(`/usr/sbin/${family}-legacy-restore`, `${path}.new`);
        renameSync(`${path}.new`, path);
      }
    }
    return `iptables of the host is ${toLegacy ? "legacy" : "nft"}`;
  });
}

/** What host-local keeps beside the leases may be lost or wrong at any time. */
function damageStateFiles(storm: StormState, network: string, random: Random): void {
  spoil(storm, "state files damaged", network, () => {
    const state = `${LEASES}/.bridgehead/${network}.index`;
    const hints = existsSync(`${LEASES}/${network}`)
      ? readdirSync(`${LEASES}/${network}`).filter((name) => name.startsWith("last_reserved_ip"))
      : [];
    const garbage = Uint8Array.from({ length: Math.floor(random() * 8192) }, () => random() * 256);
    const choice = random();
    if (choice < 0.3) rmSync(state, { force: true });
    else if (choice < 0.6 && existsSync(state)) writeFileSync(state, garbage);
    else
      for (const name of hints)
        writeFileSync(`${LEASES}/${network}/${name}`, choice < 0.8 ? "" : "10.255.255.255");
    return `index or hint of ${network} damaged`;
  });
}

/** Takes away at the end what the storm itself wrote. */
export function clearDebris(storm: StormState): void {
  for (const path of storm.emptied) if (textOf(path) === "") rmSync(path);
  for (const { edited } of storm.attachments) for (const path of edited.keys()) rmSync(path, { force: true });
}
