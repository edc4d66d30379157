/**
 * Masquerading of an attachment's addresses (rules B27 to B29, B33): what plugins call. All of it works on the network
 * namespace that the process is in.
 */
import type { Attachment, ContainerInterface } from "../../cni/attachment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import { FAMILIES } from "../../net/ip.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { iptablesChain } from "../attachment-names.ts";
import { hasLegacyTable } from "../iptables/legacy-presence.ts";
import type { NatTable } from "../iptables/nat-table.ts";
import { MASQ_CHECKS, MASQ_POSTROUTING, postroutingOf } from "../nftables/base-chains.ts";
import { findChains, isUnsupported, openNftables } from "../nftables/kernel.ts";

/** How masquerading is done: ipMasqBackend of the configuration. */
export type Backend = "iptables" | "nftables";

const NO_NFTABLES = "this kernel has no nf_tables";

/**
 * B27: iptables where it works, as far as that shows without changing anything, else nftables. It looks at the same
 * things on each command: the program of iptables, and whether the kernel has what that program works on.
 */
async function chosen(backend: Backend | undefined, netfilter: Connection | undefined): Promise<Backend> {
  if (backend !== undefined) return backend;
  const { hostTable } = await import("../iptables/host-table.ts");
  return hostTable(netfilter, 4) === undefined ? "nftables" : "iptables";
}

/** Why the backend cannot work here, as a sentence; undefined when it can. `isSure` as in problem.ts. */
async function problemOf(
  choice: Backend,
  asked: Backend | undefined,
  netfilter: Connection | undefined,
  isSure: boolean,
): Promise<string | undefined> {
  const { iptablesProblem, nftablesProblem } = await import("./problem.ts");
  const problem = (choice === "iptables" ? iptablesProblem : nftablesProblem)(netfilter, isSure);
  return problem && cannot(choice, asked, problem);
}

/** The failure of nftables says why it is nftables, if no one chose it. */
function cannot(choice: Backend, asked: Backend | undefined, problem: string): string {
  const why =
    choice === "nftables" && asked === undefined ? ", which is used where iptables does not work" : "";
  return `cannot masquerade with ${choice}${why}: ${problem}`;
}

/**
 * Makes traffic from `addresses` (host bits and prefix length as in the result) leave with the host's address, but for
 * traffic to their own subnets and to multicast. Repeating it changes nothing. After a failure some of the rules may
 * be there: tear down.
 * @param backend undefined for the default. @throws CniError
 */
export async function setUp(
  backend: Backend | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): Promise<void> {
  using netfilter = openNftables();
  const choice = await chosen(backend, netfilter);
  try {
    if (choice === "iptables") {
      await (await import("./iptables.ts")).setUpIptables(netfilter, attachment, addresses);
    } else if (netfilter !== undefined) {
      (await import("./nftables.ts")).setUpNftables(netfilter, attachment, addresses);
    } else throw new Error(NO_NFTABLES);
  } catch (error) {
    if (error instanceof CniError) throw error;
    const { code, message } = toCniError(error);
    throw new CniError(
      code,
      (await problemOf(choice, backend, netfilter, true)) ?? cannot(choice, backend, message),
    );
  }
}

/** Checks that the attachment's addresses are masqueraded. @throws CniError that names what is missing (G17) */
export async function check(
  backend: Backend | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): Promise<void> {
  using netfilter = openNftables();
  const choice = await chosen(backend, netfilter);
  const { missingIptables, missingNftables } = await import("./missing.ts");
  const missing =
    choice === "iptables"
      ? await missingIptables(netfilter, attachment, addresses)
      : netfilter === undefined
        ? [NO_NFTABLES]
        : missingNftables(netfilter, attachment, addresses);
  if (missing.length === 0) return;
  const { network, containerId, ifname } = attachment;
  throw new CniError(
    code.internal,
    `masquerade rules of container ${JSON.stringify(containerId)} interface ${JSON.stringify(ifname)} ` +
      `(${addresses.map(formatPrefix).join(", ")}) in network ${JSON.stringify(network)} are lost or altered: ` +
      `${missing.join("; ")}. Something flushed or changed them, as a firewall's reload does; DEL and ADD the attachment`,
  );
}

/**
 * Removes what any backend holds of the attachment, whoever of the plugins has written it: found by the attachment
 * alone (G5). Nothing there is success. Goes on past errors.
 * @param connection of `openNftables`, for a caller that has more to do before it closes it. @throws CniError
 */
export async function tearDown(attachment: Attachment, connection?: Connection): Promise<void> {
  using own = connection === undefined ? openNftables() : undefined;
  const netfilter = connection ?? own;
  const failures = new Failures();
  const attempt = (step: () => Promise<void>): Promise<void> =>
    failures.attemptLast(async () => {
      try {
        await step();
      } catch (error) {
        // Then there are no such rules.
        if (!isUnsupported(error)) throw error;
      }
    });
  const chain = iptablesChain(attachment);
  const tables: NatTable[] = [];
  // Most often there is nothing: what removes rules is loaded only where there are some.
  await attempt(async () => {
    if (netfilter === undefined) return;
    const [ip, ip6, checks] = findChains(netfilter, [
      { ...postroutingOf("ip"), chain },
      { ...postroutingOf("ip6"), chain },
      MASQ_CHECKS,
    ]);
    if (ip !== undefined) tables.push({ family: 4, connection: netfilter });
    if (ip6 !== undefined) tables.push({ family: 6, connection: netfilter });
    if ((checks?.use ?? 0) === 0) return;
    const { rulesOf } = await import("./nftables.ts");
    const { remove } = await import("../nftables/own-tables.ts");
    remove(netfilter, MASQ_POSTROUTING, () => rulesOf(netfilter, attachment));
  });
  for (const family of FAMILIES) {
    await attempt(async () => {
      if (hasLegacyTable(family)) tables.push({ family, connection: undefined });
    });
  }
  for (const table of tables) {
    await attempt(async () => {
      const { updateChain } = await import("../iptables/nat-table.ts");
      const { planTearDown } = await import("./iptables-plan.ts");
      await updateChain(table, chain, (state) => planTearDown(state, attachment));
    });
  }
  failures.throwIfAny("failed to remove the masquerade rules");
}

/** Removes what belongs to attachments of `network` that are not in `valid` (G1). @throws CniError */
export async function collect(network: string, valid: Iterable<ContainerInterface>): Promise<void> {
  using netfilter = openNftables();
  await (await import("./collect.ts")).collect(netfilter, network, valid);
}

/** @throws CniError code 50 with the remedy when the backend cannot work here; changes nothing (G2) */
export async function requireUsable(backend: Backend | undefined): Promise<void> {
  using netfilter = openNftables();
  const problem = await problemOf(await chosen(backend, netfilter), backend, netfilter, false);
  if (problem !== undefined) throw new CniError(code.notAvailable, problem);
}
