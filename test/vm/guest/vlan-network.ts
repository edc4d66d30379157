/** Networks with VLANs for tests in a guest: what of them stays, and what `bridge` says of their ports. */

import { afterEach, beforeAll, describe, test } from "bun:test";
import { IPAM_FILES, linkNames } from "../../kernel/bridge/network.ts";
import { eventually } from "../../support/eventually.ts";
import type { HostState } from "../../support/host-state.ts";
import { type NamedNamespace, requireScratchHost, ScratchHost } from "../../support/scratch-host.ts";
import { expectUnchanged } from "../../support/state-difference.ts";

/** Keys without IPAM, for what concerns layer 2 alone. */
export const layer2 = (keys: object = {}): object => ({ ipam: {}, ...keys });

/** What stays after the last DEL when bridges and gateway interfaces have been removed. */
const STAYS = [/^sysctl net\.ipv[46]\.(ip_forward|conf\.(all|default)\.forwarding) /, IPAM_FILES];

/**
 * Tests on one host. To look over all of it takes long in a guest, so that is done once, as the last test: each test
 * must DEL what it added. Bridges and the gateways of VLANs stay by rule B33; they are removed after each test, as are
 * namespaces.
 */
export function describeOnHost(name: string, define: (host: ScratchHost) => void): void {
  describe(name, () => {
    const host = new ScratchHost();
    let before: HostState = [];
    beforeAll(async () => {
      requireScratchHost();
      before = await quietState(host);
    });
    afterEach(async () => {
      await host.removeNamespaces();
      await removeBridges(host);
    });
    define(host);
    test("nothing is left on the host", async () => expectUnchanged(before, await quietState(host), STAYS));
  });
}

/** Removes each `<bridge>.<vlan>`, then each bridge. */
async function removeBridges(host: ScratchHost): Promise<void> {
  const bridges = await linkNames(host, "type bridge");
  const gateways = (await linkNames(host)).filter(
    (name) => name.includes(".") && bridges.includes(name.split(".")[0] ?? ""),
  );
  for (const name of [...gateways, ...bridges]) await host.run(["ip", "link", "delete", name]);
}

/** The state once the kernel has tried out the link-local addresses that it gives to each interface. */
export async function quietState(host: ScratchHost): Promise<HostState> {
  const tentative = () => host.run("ip -6 -br addr show tentative");
  await eventually("no tentative address", async () => (await tentative()) === "", { state: tentative });
  return host.state();
}

/** Runs `body`, after which the host must be as it was before. */
export async function unchanged<T>(
  host: ScratchHost,
  body: () => Promise<T>,
  mayDiffer: readonly RegExp[] = [],
): Promise<T> {
  const before = await quietState(host);
  const value = await body();
  expectUnchanged(before, await quietState(host), mayDiffer);
  return value;
}

/**
 * The VLANs of a bridge's port, or of the bridge itself, as `bridge vlan` shows them: "10 pvid untagged", "20-29".
 * VLANs in a row with the same flags are one range.
 */
export async function vlansOf(host: ScratchHost, port: string): Promise<string[]> {
  const ports = await host.json<{ vlans: { vlan: number; vlanEnd?: number; flags?: string[] }[] }[]>(
    `bridge -j vlan show dev ${port}`,
  );
  const ranges: { first: number; last: number; flags: string }[] = [];
  for (const { vlan, vlanEnd = vlan, flags = [] } of ports.flatMap(({ vlans }) => vlans)) {
    const words = flags.map((flag) =>
      flag === "PVID" ? " pvid" : flag === "Egress Untagged" ? " untagged" : ` ${flag}`,
    );
    const range = { first: vlan, last: vlanEnd, flags: words.join("") };
    const previous = ranges.at(-1);
    if (previous?.last === vlan - 1 && previous.flags === range.flags) previous.last = vlanEnd;
    else ranges.push(range);
  }
  return ranges.map(({ first, last, flags }) => `${first === last ? first : `${first}-${last}`}${flags}`);
}

/** The port that is the other end of a VLAN's gateway interface. */
export async function gatewayPort(host: ScratchHost, gateway: string): Promise<string> {
  const links = await host.json<{ link?: string }[]>(`ip -j link show dev ${gateway}`);
  return links[0]?.link ?? "";
}

/** Whether the first packet is answered: ports forward and addresses are usable when ADD returns. */
export async function reaches(from: NamedNamespace, address: string, patience = 3): Promise<boolean> {
  return (
    (await from.run(`ping -n -c1 -W${patience} ${address} >/dev/null && echo yes || echo no`)) === "yes\n"
  );
}

/** Which of `targets` answer, by name. Silence is waited for once. */
export async function answers(
  from: NamedNamespace,
  targets: Readonly<Record<string, string>>,
): Promise<string[]> {
  const asked = Object.entries(targets).map(async ([name, address]) =>
    (await reaches(from, address)) ? [name] : [],
  );
  return (await Promise.all(asked)).flat();
}
