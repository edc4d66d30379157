/** Sets up the firewall rules of an attachment (rules F7, F8, F14, F32, F33, F35, F36). */
import { CniError, code, toCniError } from "../../cni/error.ts";
import { FAMILIES } from "../../net/ip.ts";
import { NO_NFTABLES, openNftables, permissionRemedy } from "../kernel.ts";
import type { Choice } from "./backend.ts";
import { HostBridges } from "./bridges.ts";
import { placesFor, updatePlaces } from "./filter-table.ts";
import type { Wanted } from "./layout.ts";
import { planSetUp } from "./plan.ts";

/**
 * Lets forwarded traffic of the attachment's addresses pass, and gives its bridge its policy. Repeating it changes nothing.
 * After a failure some rules may exist; call `tearDown`. Returns the bridge's ports that need not be isolated any more.
 * @throws CniError
 */
export async function setUp({ rules }: Choice, wanted: Wanted): Promise<readonly string[]> {
  using netfilter = openNftables();
  try {
    if (rules === "nftables") {
      if (netfilter === undefined) throw new Error(NO_NFTABLES);
      return (await import("./nftables.ts")).setUpNftables(netfilter, wanted);
    }
    const places = [];
    for (const family of FAMILIES) {
      if (wanted.addresses.some(({ address }) => address.family === family))
        for (const place of await placesFor(netfilter, family)) places.push(place);
    }
    const released = new Set<string>();
    using bridges = new HostBridges();
    const { attachment, adminChain } = wanted;
    const addresses = wanted.addresses.map(({ address }) => address);
    await updatePlaces(places, [adminChain], { attachment, addresses }, (state) =>
      planSetUp(wanted, state, bridges, (port) => released.add(port)),
    );
    return [...released];
  } catch (error) {
    if (error instanceof CniError) throw error;
    const { code: number, message } = toCniError(error);
    const modules = rules === "nftables" ? "nf_tables and nft_ct" : "nf_tables, nft_compat and xt_conntrack";
    const remedy =
      permissionRemedy(error) ??
      (number === code.tryAgainLater ? "try again later" : `load the kernel modules ${modules}`);
    throw new CniError(number, `cannot make firewall rules with ${rules}: ${message}; ${remedy}`);
  }
}
