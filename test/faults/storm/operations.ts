/** ADD, DEL and CHECK of an attachment: what must come of them, given what the storm knows. */
// Long because: each command's expectations are one case analysis over the same states.
import { errorObject } from "../../support/protocol.ts";
import { type Call, call, type Ended, offences, resultOf } from "./call.ts";
import { flowsOf, hasSavedSettings, makeFlows } from "./chain-eyes.ts";
import { insideOf, leaseFiles, linksByOwner, textOf } from "./eyes.ts";
import type { FaultKind } from "./history.ts";
import { type AddResult, type Attachment, PARTS, type Part } from "./model.ts";
import { LEASES, LOCAL_PROGRAMS, type Network } from "./networks.ts";
import type { StormState } from "./storm-state.ts";

/** A number in [0, 1). */
export type Random = () => number;

/** Killed on the way are this many of all operations, and of those on iptables while its lock is held. */
const KILLED = 0.07;
const KILLED_WAITING = 0.3;
/** Milliseconds within which a kill hits most operations somewhere in the middle. */
const LONGEST_LIFE = 60;
const LONGEST_WAIT = 400;

/** When an operation is killed, if it is. */
export function killTime(storm: StormState, network: Network, random: Random): { killAfter?: number } {
  const { masquerade, behind, chain } = network;
  const waits =
    [masquerade, behind?.portmap, behind?.firewall].includes("iptables") &&
    storm.history.met(performance.now(), ["xtables lock held"], "all");
  if (random() >= (waits ? KILLED_WAITING : KILLED)) return {};
  return { killAfter: random() * chain.length * (waits ? LONGEST_WAIT : LONGEST_LIFE) };
}

/** Runs a command on an attachment, notes it, and looks at what the protocol forbids. */
async function operate(
  storm: StormState,
  attachment: Attachment,
  command: string,
  options: Pick<Call, "args" | "keys" | "killAfter" | "netns" | "shared" | "unheard"> & { why?: string },
): Promise<Ended> {
  const { container, ifname, network, key } = attachment;
  attachment.stamp++;
  const since = ((performance.now() - storm.history.start) / 1000).toFixed(3);
  storm.running.set(key, `${command}${options.why ? ` (${options.why})` : ""} of ${key} since ${since}`);
  const ended = await call(storm.binaries, network, {
    command,
    containerId: container.name,
    netns: container.path,
    ifname,
    ...options,
  });
  attachment.stamp++;
  storm.running.delete(key);
  storm.operations++;
  storm.count(command);
  if (ended.killed) storm.count(`${command} killed`);
  else if (ended.exitCode !== 0) storm.count(`${command} refused`);
  const addresses =
    ended.exitCode === 0 && command === "ADD" ? (resultOf<AddResult>(ended.stdout)?.ips ?? []) : [];
  const plain = addresses.map(({ address }) => address.slice(0, address.indexOf("/")));
  const who = network.behind === undefined ? "" : `${ended.plugin} `;
  const outcome = who + (ended.killed ? "killed" : `exit ${ended.exitCode}`);
  const words = ended.exitCode === 0 ? plain.join(" ") : (errorObject(ended.stdout)?.msg ?? ended.stdout);
  storm.history.note(
    `#${storm.operations} from ${since} ${command}${options.why ? ` (${options.why})` : ""} ${key}: ${outcome} ${words} ` +
      `[${ended.milliseconds.toFixed(0)} ms]${ended.stderr === "" ? "" : ` stderr: ${ended.stderr.trim()}`}`,
    key,
    container.name,
    ...plain,
  );
  if (!ended.killed) {
    for (const offence of offences(command, ended)) {
      storm.violation(`${command} of ${key}: ${offence}: ${JSON.stringify(ended)}`, key);
    }
  }
  return ended;
}

/** How an ADD is made to fail late, or differently. */
interface Variation {
  readonly why: string;
  readonly keys: object;
  readonly args?: string;
  readonly unheard?: boolean;
  /** Whether it can't succeed. */
  readonly mustFail: boolean;
}

function variationOf(storm: StormState, attachment: Attachment, random: Random): Variation {
  const { network } = attachment;
  const choice = random();
  if (choice < 0.04) {
    // The links are made and the other addresses leased by the time when this range has none: its only one is the gateway's.
    const ipam = network.chain[0]?.ipam as { ranges: readonly object[] };
    const full = [{ subnet: "10.99.0.0/24", rangeStart: "10.99.0.1", rangeEnd: "10.99.0.1" }];
    return {
      why: "one range more that is full",
      keys: { ipam: { ...ipam, ranges: [...ipam.ranges, full] } },
      mustFail: true,
    };
  }
  // The last step of all: when this fails, there is everything to take back.
  if (choice < 0.08)
    return { why: "a result that can't be delivered", keys: {}, unheard: true, mustFail: true };
  if (choice < 0.12) {
    const others = storm.attachments.filter((other) => other.network === network && other.isProtected());
    const victim = others[Math.floor(random() * others.length)];
    const address = victim?.addresses[0];
    // Whether the victim still is there at the end shows below: the address may not come twice.
    if (address !== undefined)
      return { why: `${address} of another`, keys: {}, args: `IP=${address}`, mustFail: false };
  }
  return { why: "", keys: {}, mustFail: false };
}

/** Whether such a fault met an operation on an attachment. */
const metBy =
  (storm: StormState, { container, network, key }: Attachment, { began }: Ended) =>
  (...kinds: FaultKind[]): boolean =>
    storm.history.met(began, kinds, container.name, network.bridge, key, network.name);

/** What each fault damages, beside a deleted namespace. */
const DAMAGES: readonly (readonly [FaultKind, Part])[] = [
  ["link removed", "link"],
  ["bridge removed", "bridge"],
  ["rules flushed", "rules"],
  ["lease edited", "lease"],
];

export async function add(storm: StormState, attachment: Attachment, random: Random): Promise<void> {
  const { container, key } = attachment;
  const before = attachment.state;
  const couldExist = before === "live" && attachment.isWhole("namespace", "link", "bridge");
  const wasWhole = before === "live" && attachment.isWhole(...PARTS);
  const noNamespace = !container.there;
  const variation = variationOf(storm, attachment, random);
  attachment.repeating = before === "live";
  const ended = await operate(storm, attachment, "ADD", {
    ...killTime(storm, attachment.network, random),
    keys: variation.keys,
    ...(variation.args !== undefined && { args: variation.args }),
    ...(variation.unheard === true && { unheard: true }),
    why: [before === "absent" ? "" : `while ${before}`, variation.why]
      .filter((part) => part !== "")
      .join(", "),
  });
  attachment.repeating = false;
  const stillWhole = wasWhole && attachment.isWhole(...PARTS);
  const met = metBy(storm, attachment, ended);
  if (ended.killed) {
    // What is whole refuses a second ADD before that changes anything; else it may have lost what ADD was about to undo.
    return stillWhole ? undefined : attachment.become("uncertain");
  }
  if (ended.exitCode === 0) {
    const result = resultOf<AddResult>(ended.stdout);
    if (result === undefined) {
      storm.violation(`ADD of ${key} gave no whole result: ${ended.stdout}`, key);
      return attachment.become("uncertain");
    }
    if (couldExist && !met("namespace deleted", "link removed", "bridge removed"))
      storm.violation(`ADD of ${key} succeeded, though it is there already`, key);
    if (variation.mustFail) storm.violation(`ADD of ${key} succeeded with ${variation.why}`, key);
    if (noNamespace && !container.there && !container.changing && !met("namespace deleted"))
      storm.violation(`ADD of ${key} succeeded without a namespace`, key);
    attachment.become("live", result);
    if (met("namespace deleted")) attachment.harm("namespace", container.there ? "doubtful" : "lost");
    for (const [kind, part] of DAMAGES) if (met(kind)) attachment.harm(part, "doubtful");
    return await judgeNew(storm, attachment, random);
  }
  judgeRefusal(storm, attachment, { ended, before, noNamespace, variation });
  // What the plugins before it have done, the runtime takes away.
  if (before === "absent" && ended.plugin !== "bridge") attachment.become("uncertain");
  else if (before === "absent") judgeAbsent(storm, attachment, "after a failed ADD");
  else if (before === "live" && !stillWhole) {
    // It came further than "already exists", and what it took back may have been shared with the first life.
    attachment.become("uncertain");
  }
}

/** A new attachment: its addresses are its own, and all is there. */
async function judgeNew(storm: StormState, attachment: Attachment, random: Random): Promise<void> {
  const { key, network, addresses } = attachment;
  if (addresses.length !== network.families.length)
    storm.violation(`ADD of ${key} gave ${addresses.length} addresses`, key);
  for (const other of storm.attachments) {
    if (other === attachment || other.state !== "live" || other.network !== network) continue;
    for (const address of addresses) {
      if (!other.addresses.includes(address)) continue;
      if (other.isProtected())
        storm.violation(
          `${address} twice: of ${key} and of ${other.key}`,
          address,
          key,
          other.key,
          network.name,
        );
      // Its lease was damaged by hand, so that another got its address: from now on they disturb each other.
      other.harm("lease", "lost");
    }
  }
  judgeLive(storm, attachment, "right after ADD");
  if (random() < 0.3) await judgeInside(storm, attachment);
  if (random() < 0.2) await makeFlows(attachment);
}

function judgeRefusal(
  storm: StormState,
  attachment: Attachment,
  about: { ended: Ended; before: string; noNamespace: boolean; variation: Variation },
): void {
  const { network, container, key } = attachment;
  const { ended, before, variation, noNamespace } = about;
  const failure: { code: number; msg: string } = errorObject(ended.stdout) ?? { code: 0, msg: "" };
  const met = metBy(storm, attachment, ended);
  const explained =
    noNamespace ||
    variation.mustFail ||
    met("namespace deleted", "link removed", "bridge removed") ||
    (before !== "absent" && /already exists|has been allocated to/.test(failure.msg)) ||
    (attachment.given !== undefined && /has been allocated to/.test(failure.msg)) ||
    (network.tight && /no IP addresses available/.test(failure.msg)) ||
    (variation.args !== undefined && /requested IP address .* is not available/.test(failure.msg)) ||
    isExcused(storm, ended, LOCKS, network.name);
  if (!explained)
    storm.violation(`ADD of ${key} failed without a reason: ${failure.msg}`, key, container.name);
}

export const LOCKS: readonly FaultKind[] = ["xtables lock held", "lease lock held", "rule set kept busy"];

/** Milliseconds that a call goes on trying: the default of the key callTimeout. */
const CALL_TIMEOUT = 20_000;

/**
 * Whether a failure has an excuse: one of these locks was held meanwhile, the call's time was over, or an administrator took
 * away the program that was just found, and the error names it.
 */
export function isExcused(
  storm: StormState,
  { began, milliseconds, stdout }: Ended,
  locks: readonly FaultKind[],
  network: string,
): boolean {
  const { code, msg = "" } = errorObject(stdout) ?? {};
  const vanished = storm.history.met(began, ["other iptables"], "all") && msg.includes(`"${LOCAL_PROGRAMS}/`);
  // On a busy machine a call may wait for the lock of iptables-legacy, which has no queue, until its deadline.
  if (code === 11 && milliseconds > CALL_TIMEOUT && msg.includes("call's deadline")) {
    storm.count("calls that waited for xtables until their deadline");
    return true;
  }
  return vanished || (code === 11 && storm.history.met(began, locks, network));
}

export async function del(storm: StormState, attachment: Attachment, random: Random): Promise<void> {
  const { key, network } = attachment;
  if (attachment.state === "live" && random() < 0.5) await judgeInside(storm, attachment);
  // From now on it has no claim on anything.
  if (attachment.state === "live") attachment.state = "uncertain";
  // containerd and CRI-O leave the path out when they do not know it any more, though the container may live.
  const unnamed = random() < (attachment.renamed ? 0.5 : 0.2);
  // libcni sends the result that it has kept; a runtime that was started anew has none.
  const isKept = attachment.result !== undefined && random() < 0.5;
  // Where both are lost, nothing tells of flows any more.
  const isTold = isKept || attachment.isWhole("rules");
  const ended = await operate(storm, attachment, "DEL", {
    ...killTime(storm, attachment.network, random),
    ...(unnamed && { netns: "", why: "without a path" }),
    ...(isKept && { shared: { prevResult: { cniVersion: "1.1.0", ...attachment.result } } }),
  });
  if (unnamed && attachment.container.there) storm.count("DEL without the path of a namespace that is there");
  if (ended.killed) return;
  if (ended.exitCode !== 0) {
    if (!isExcused(storm, ended, LOCKS, network.name))
      storm.violation(`DEL of ${key} failed: ${errorObject(ended.stdout)?.msg}`, key);
    return attachment.become("uncertain");
  }
  attachment.become("absent");
  attachment.forgetGiven(ended.began);
  judgeAbsent(storm, attachment, "after DEL");
  if (isTold) await judgeNoFlows(storm, attachment);
  attachment.hasFlows = false;
  await clearEdited(storm, attachment);
}

/** What the storm wrote into lease files belongs to nobody: DEL leaves it, and the storm takes it away. */
async function clearEdited(storm: StormState, attachment: Attachment): Promise<void> {
  for (const [path, { content, kind }] of attachment.edited) {
    if (kind === "owner") continue;
    const now = textOf(path);
    attachment.edited.delete(path);
    if (now !== content) {
      storm.violation(
        `DEL of ${attachment.key} changed ${path}, which is no lease of it: ${now}`,
        attachment.key,
      );
    } else await Bun.file(path).delete();
  }
}

export async function check(storm: StormState, attachment: Attachment, random: Random): Promise<void> {
  const { key, result } = attachment;
  const lost = attachment.state === "live" && attachment.hasLost(...PARTS);
  const wasLive = attachment.state === "live";
  const renamed = attachment.renamed;
  const ended = await operate(storm, attachment, "CHECK", {
    ...killTime(storm, attachment.network, random),
    shared: { prevResult: { cniVersion: "1.1.0", ...result } },
  });
  if (ended.killed || !wasLive) return;
  if (ended.exitCode === 0) {
    // A lease that was written in its name into another's file is one, too.
    if (lost && attachment.given === undefined) {
      const gone = PARTS.filter((part) => attachment.health(part) === "lost").join(", ");
      storm.violation(`CHECK of ${key} passed, though this was lost: ${gone}`, key);
    }
    return;
  }
  // It does not take the lock of xtables.
  const excused = isExcused(storm, ended, LOCKS.slice(1), attachment.network.name);
  if (attachment.isWhole(...PARTS) && !(renamed || attachment.renamed) && !excused)
    storm.violation(`CHECK of ${key} failed, though nothing is lost: ${errorObject(ended.stdout)?.msg}`, key);
}

/** Lease and link of a live attachment, as far as the storm has not damaged them. */
export function judgeLive(storm: StormState, attachment: Attachment, when: string): void {
  const { key, network, addresses, owner } = attachment;
  if (attachment.isWhole("lease", "namespace")) {
    for (const address of addresses) {
      const content = textOf(`${LEASES}/${network.name}/${address}`);
      if (content !== owner)
        storm.violation(
          `${when}, the lease of ${key} for ${address} is ${JSON.stringify(content)}`,
          key,
          address,
        );
    }
  }
  if (attachment.isWhole("namespace") && network.behind !== undefined && !hasSavedSettings(attachment))
    storm.violation(`${when}, the settings that tuning saved of ${key} are gone`, key);
  if (!attachment.isWhole("link", "namespace", "bridge")) return;
  const link = linksByOwner().get(key);
  if (link === undefined) storm.violation(`${when}, the host's end of ${key} is gone`, key);
  else if (link.master !== network.bridge || !link.up)
    storm.violation(
      `${when}, the host's end of ${key} is no running port of ${network.bridge}: ${JSON.stringify(link)}`,
      key,
    );
}

/** UDP flows to a published port that has not ended with its attachment (M50). */
async function judgeNoFlows(storm: StormState, attachment: Attachment): Promise<void> {
  if (!attachment.hasFlows) return;
  const flows = await flowsOf(attachment);
  storm.count("looks for flows");
  if (flows.length > 0)
    storm.violation(
      `after DEL, flows to ports of ${attachment.key} go on:\n    ${flows.join("\n    ")}`,
      attachment.key,
    );
}

/** The container's own view. */
async function judgeInside(storm: StormState, attachment: Attachment): Promise<void> {
  const { key, container, ifname, result } = attachment;
  const stamp = attachment.stamp;
  if (!attachment.isWhole("namespace", "link")) return;
  const inside = await insideOf(container);
  if (attachment.stamp !== stamp) return;
  storm.count("looks into a container");
  const link = inside?.get(ifname);
  const expected = (result?.ips ?? []).map(({ address }) => address);
  const mac = result?.interfaces.find(({ sandbox }) => sandbox !== undefined)?.mac;
  if (link === undefined) return storm.violation(`${ifname} of ${key} is gone from its container`, key);
  if (link.address !== mac || !link.flags.includes("UP") || String(link.addresses) !== String(expected))
    storm.violation(`${ifname} of ${key} is ${JSON.stringify(link)}, ADD gave ${mac} ${expected}`, key);
}

/** No lease and no link of an attachment that is not. */
export function judgeAbsent(storm: StormState, attachment: Attachment, when: string): void {
  const { key, network, owner } = attachment;
  for (const [name, content] of leaseFiles(network.name)) {
    if (content === owner && attachment.given === undefined)
      storm.violation(`${when}, the lease ${name} of ${key} is still there`, key, name);
  }
  if (hasSavedSettings(attachment))
    storm.violation(`${when}, the settings that tuning saved of ${key} are still there`, key);
  const link = linksByOwner().get(key);
  if (link !== undefined) storm.violation(`${when}, the link ${link.name} of ${key} is still there`, key);
}
