/**
 * Masquerading of an attachment's addresses (rules B27 to B29, B33): what the bridge plugin calls. All of it works on
 * the network namespace that the process is in.
 */
import type { Attachment } from "../cni/attachment.ts";
import { CniError, code, toCniError } from "../cni/error.ts";
import { Failures } from "../cni/failures.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import type { Connection } from "../netlink/connection.ts";
import { ifNftables, openNftables } from "./kernel.ts";

export { openNftables } from "./kernel.ts";

/** How masquerading is done: ipMasqBackend of the configuration. */
export type Backend = "iptables" | "nftables";

const loadIptables = () => import("./iptables/iptables.ts");
const loadNftables = () => import("./nftables/nftables.ts");

/**
 * B27: iptables where it works, else nftables. It looks at the same things on each command: the program of iptables in
 * the system's folders, and whether the kernel has what that program works on.
 */
async function chosen(backend: Backend | undefined, connection: Connection | undefined): Promise<Backend> {
  if (backend !== undefined) return backend;
  const { iptablesWorks } = await loadIptables();
  return iptablesWorks(connection) ? "iptables" : "nftables";
}

/** What there is to say about a kernel or host that can't do it. */
async function problemOf(backend: Backend, connection: Connection | undefined): Promise<string | undefined> {
  return backend === "iptables"
    ? (await loadIptables()).iptablesProblem(connection)
    : (await loadNftables()).nftablesProblem(connection);
}

/** The failure of nftables says why it is nftables, if nobody chose it. */
function cannot(backend: Backend, asked: Backend | undefined, problem: string): string {
  const why =
    backend === "nftables" && asked === undefined ? ", which is used where iptables does not work" : "";
  return `cannot masquerade with ${backend}${why}: ${problem}`;
}

/**
 * Makes traffic from `addresses` (host bits and prefix length as in the result) leave with the host's address, but for
 * traffic to their own subnets and to multicast. Repeating it changes nothing. After a failure some of the rules may
 * be there: tear down.
 * @param backend undefined for the default. @throws CniError
 */
export async function setUpMasquerade(
  backend: Backend | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): Promise<void> {
  using netfilter = openNftables();
  const choice = await chosen(backend, netfilter);
  try {
    if (choice === "iptables") (await loadIptables()).setUpIptables(netfilter, attachment, addresses);
    else if (netfilter !== undefined) (await loadNftables()).setUpNftables(netfilter, attachment, addresses);
    else throw new Error("this kernel has no nf_tables");
  } catch (error) {
    if (error instanceof CniError) throw error;
    const problem = (await problemOf(choice, netfilter)) ?? toCniError(error).message;
    throw new CniError(toCniError(error).code, cannot(choice, backend, problem));
  }
}

/**
 * Removes what any backend holds of `attachment`, whoever of the plugins has written it: found by the attachment alone (G5).
 * Nothing there is success. Goes on past errors.
 * @param connection of `openNftables`, for a caller that has more to do before it closes it. @throws CniError
 */
export async function tearDownMasquerade(attachment: Attachment, connection?: Connection): Promise<void> {
  using own = connection === undefined ? openNftables() : undefined;
  const netfilter = own ?? ifNftables(connection);
  const { tearDownIptables } = await loadIptables();
  const { tearDownNftables } = await loadNftables();
  const failures = new Failures();
  await failures.attempt(() => netfilter && tearDownNftables(netfilter, attachment));
  await failures.attempt(() => tearDownIptables(netfilter, attachment));
  failures.throwIfAny("failed to remove the masquerade rules");
}

/** Checks that the attachment's addresses are masqueraded. @throws CniError that names what is lost or altered (G17) */
export async function checkMasquerade(
  backend: Backend | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): Promise<void> {
  using netfilter = openNftables();
  const choice = await chosen(backend, netfilter);
  const { iptablesDamage } = await import("./iptables/damage.ts");
  const { nftablesDamage } = await import("./nftables/damage.ts");
  const damage =
    choice === "iptables"
      ? iptablesDamage(netfilter, attachment, addresses)
      : netfilter === undefined
        ? ["this kernel has no nf_tables"]
        : nftablesDamage(netfilter, attachment, addresses);
  if (damage.length === 0) return;
  throw new CniError(
    code.internal,
    `masquerade rules of container ${JSON.stringify(attachment.containerId)} interface ${JSON.stringify(attachment.ifname)} ` +
      `(${addresses.map(formatPrefix).join(", ")}) in network ${JSON.stringify(attachment.network)} are lost or altered: ` +
      `${damage.join("; ")}. Something flushed or changed them, as a firewall's reload does; DEL and ADD the attachment`,
  );
}

/** Removes what belongs to attachments of `network` that are not in `valid` (G1). @throws CniError */
export async function collectMasquerade(
  network: string,
  valid: Iterable<{ containerId: string; ifname: string }>,
): Promise<void> {
  using netfilter = openNftables();
  const { collectIptables } = await import("./iptables/collect.ts");
  const { collectNftables } = await import("./nftables/collect.ts");
  const failures = new Failures();
  await failures.attempt(() => netfilter && collectNftables(netfilter, network, valid));
  await failures.attempt(() => collectIptables(netfilter, network, valid));
  failures.throwIfAny("failed to collect the masquerade rules");
}

/** @throws CniError code 50 with the remedy when the backend cannot work here; changes nothing (G2) */
export async function masqueradeReady(backend: Backend | undefined): Promise<void> {
  using netfilter = openNftables();
  const choice = await chosen(backend, netfilter);
  const problem = await problemOf(choice, netfilter);
  if (problem !== undefined) throw new CniError(code.notAvailable, cannot(choice, backend, problem));
}
