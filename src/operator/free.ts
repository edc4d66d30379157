/**
 * Frees what is left of an attachment: rules in all backends with their UDP flows, saved settings of tuning, and the leases.
 * While it does so it holds the lock of the network's leases, and has made sure that each lease is still the one that was
 * read: so a container that was started since keeps its address.
 */
import type { Attachment } from "../cni/attachment.ts";
import { toCniError } from "../cni/error.ts";
import { Failures } from "../cni/failures.ts";
import { thisBoot } from "../leases/boot.ts";
import { DEFAULT_DATA_DIRECTORY, LeaseHolders } from "../leases/holders.ts";
import { LeaseFiles } from "../leases/lease-files.ts";
import { type LeaseStore, openStore } from "../leases/lease-store.ts";
import { ownHost } from "../links/host-lock.ts";
import { isolatePorts } from "../links/port-isolation.ts";
import { formatIp, type IpAddress, sameIp } from "../net/ip.ts";
import { tearDown as tearDownFirewall } from "../netfilter/firewall/tear-down.ts";
import { tearDown as tearDownMasquerade } from "../netfilter/masquerade/tear-down.ts";
import { tearDown as tearDownPorts } from "../netfilter/portmap/tear-down.ts";
import { tearDown as tearDownSpoofCheck } from "../netfilter/spoof-check/tear-down.ts";
import { readSaved, removeSaved } from "../plugins/tuning/saved-state.ts";
import { get } from "../schema/parse.ts";
import { listDirectory } from "../sys/directory.ts";
import { unlessFailed } from "../sys/errno.ts";
import { keepCopies } from "./freed-leases.ts";
import type { Lease } from "./lease-folders.ts";
import { type Network, typeOf } from "./networks.ts";

/** Milliseconds to wait for the lock of a network. */
const LOCK_WAIT = 10_000;

/** Where tuning saves settings by default. */
const TUNING_DIRECTORY = "/run/cni/tuning";

/** What is to be freed. */
export interface Leaving {
  readonly attachment: Attachment;
  /** All of one folder. */
  readonly leases: readonly Lease[];
  readonly dataDir: string;
  /** Its configuration, if there is one. */
  readonly network: Network | undefined;
  /** Whether rules and saved settings go as well. */
  readonly withRules: boolean;
  /**
   * False if all rules of this host were read and it has none: to look for them again in each backend takes most of the time, and
   * after a reboot no lease has rules.
   */
  readonly hasRules?: boolean;
  /** Nanoseconds since the epoch: when the run began to free, the same for all that it frees. */
  readonly at: bigint;
}

/** What was freed. */
export interface Freed {
  readonly leases: readonly Lease[];
  /** Leases that are not as they were read, with what was found. */
  readonly changed: readonly { readonly lease: Lease; readonly why: string }[];
  /** Whether rules and saved settings were removed: not, if a newer attachment of the same names may have them. */
  readonly isCleaned: boolean;
}

/** Frees it, as far as nothing has changed since it was read. @throws CniError, SystemError */
export async function free(leaving: Leaving): Promise<Freed> {
  const { dataDir, attachment, leases } = leaving;
  const files = new LeaseFiles({ dataDir, network: attachment.network }, () => {});
  if (!files.exist()) {
    const changed = leases.map((lease) => ({ lease, why: "it is gone" }));
    if (leases.length > 0) return { leases: [], changed, isCleaned: false };
    if (leaving.withRules) await cleanRules(leaving);
    return { leases: [], changed, isCleaned: leaving.withRules };
  }
  using store = await openStore(files, thisBoot, LOCK_WAIT);
  const changed = leases.flatMap((lease) => {
    const why = changeOf(files, lease);
    return why === undefined ? [] : [{ lease, why }];
  });
  const same = leases.filter((lease) => !changed.some((each) => each.lease === lease));
  const known = new Set(same.map(({ path }) => path));
  // A newer lease of the same names: its rules have the same owner.
  const isNewer = store.heldBy(attachment, true).some(({ name }) => !known.has(files.at(name)));
  const isCleaned = leaving.withRules && !isNewer && changed.length === 0;
  if (isCleaned) await cleanRules(leaving);
  if (same.length > 0) {
    keepCopies(files.place, same, leaving.at);
    release(store, same);
  }
  return { leases: same, changed, isCleaned };
}

function release(store: LeaseStore, leases: readonly Lease[]): void {
  for (const { file } of leases) store.release(file);
  store.commit();
  store.files.sync();
}

/** What became of the file since it was read; undefined if it is the same. */
function changeOf(files: LeaseFiles, { file, address }: Lease): string | undefined {
  const now = files.read(file.name, address);
  if (now === undefined) return "it is gone";
  if (now.content !== file.content) return "it is another container's by now";
  const isSame = now.status?.inode === file.status?.inode && now.status?.changed === file.status?.changed;
  return isSame && now.strangeness === undefined ? undefined : "it was written anew";
}

/** Removes rules, flows and saved settings of the attachment. @throws CniError with all that failed */
export async function cleanRules({
  attachment,
  leases,
  network,
  dataDir,
  hasRules = true,
}: Omit<Leaving, "withRules" | "at">): Promise<void> {
  const failures = new Failures();
  if (hasRules) await tearDownAll({ attachment, leases, network, dataDir }, failures);
  await failures.attemptLast(() => removeSettings(attachment, network));
  failures.throwIfAny(`cannot remove all rules of container ${attachment.containerId}`);
}

/** Removes rules and flows. */
async function tearDownAll(
  { attachment, leases, network, dataDir }: Pick<Leaving, "attachment" | "leases" | "network" | "dataDir">,
  failures: Failures,
): Promise<void> {
  const holders = [...new Set([dataDir, DEFAULT_DATA_DIRECTORY])].map(
    (directory) => new LeaseHolders(directory),
  );
  const isOnly = (address: IpAddress): boolean =>
    holders.every((each) =>
      each.holdersOf(address).every(({ containerId }) => containerId === attachment.containerId),
    );
  const own = leases.map(({ address }) => address).filter(isOnly);
  const log = (): void => {};
  const isOwn = (address: IpAddress) => own.some((each) => sameIp(each, address));
  await failures.attemptLast(() => tearDownMasquerade(attachment));
  await failures.attemptLast(() => tearDownPorts(attachment, isOwn, { lock: () => ownHost(log), log }));
  await failures.attemptLast(() => tearDownSpoofCheck(attachment));
  const firewall = network?.plugins.find((plugin) => typeOf(plugin) === "firewall");
  await failures.attemptLast(() =>
    tearDownFirewall({
      attachment,
      adminChain: String(get(firewall ?? {}, "iptablesAdminChainName") ?? "CNI-ADMIN"),
      zone: firewall === undefined ? undefined : String(get(firewall, "firewalldZone") ?? "trusted"),
      bridge: undefined,
      addresses: () => own,
      release: (port) => isolatePorts([port], false),
    }),
  );
}

/** The settings that tuning has saved of the attachment. One of the reference names no network, and stays. */
function removeSettings(
  { network: name, containerId, ifname }: Attachment,
  network: Network | undefined,
): void {
  const tuning = network?.plugins.find((plugin) => typeOf(plugin) === "tuning");
  const directory = String(get(tuning ?? {}, "dataDir") ?? TUNING_DIRECTORY);
  for (const file of unlessFailed(() => listDirectory(directory)) ?? []) {
    if (!file.endsWith(".json")) continue;
    const origin = unlessFailed(() => readSaved(`${directory}/${file}`))?.origin;
    if (origin?.network === name && origin.containerId === containerId && origin.ifname === ifname)
      removeSaved(`${directory}/${file}`);
  }
}

/** For messages: "container c1, interface eth0". */
export const describeAttachment = ({
  containerId,
  ifname,
}: Pick<Attachment, "containerId" | "ifname">): string =>
  ifname === "" ? `container ${containerId}` : `container ${containerId}, interface ${ifname}`;

/** For messages: "10.1.2.3, fd00::3". */
export const describeAddresses = (leases: readonly Lease[]): string =>
  leases.map(({ address }) => formatIp(address)).join(", ");

/** The message of a failure. */
export const problemOf = (error: unknown): string => toCniError(error).message;
