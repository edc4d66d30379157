/** Reads and changes the filter tables of iptables, in both variants (rules F20, F36, F37). */
import { CniError, code } from "../../cni/error.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import type { Change, Place } from "../iptables/change.ts";
import { findLegacyRestore, hostTable, legacyTable } from "../iptables/host.ts";
import { NO_TABLE } from "../iptables/legacy-entries.ts";
import { requestsFor } from "../iptables/nft-changes.ts";
import { findChains, hasLegacyTable, isUnsupported } from "../kernel.ts";
import { IPTABLES_FORWARD } from "../nftables/base-chains.ts";
import { emptied } from "../nftables/own-tables.ts";
import { update } from "../nftables/update.ts";
import { CNI_FORWARD, FORWARD } from "./layout.ts";
import { type FilterState, type Interest, legacyState, nftStates, rulesOf } from "./state.ts";

/** Computes the changes of a table. */
export type FilterPlan = (state: FilterState) => readonly Change[];

/** The filter table of iptables-legacy. A missing one is not read, since reading would create it. */
export async function readLegacy(family: Family, adminChains: readonly string[] = []): Promise<FilterState> {
  const table = hasLegacyTable(family, "filter")
    ? (await import("../iptables/legacy-table.ts")).readTable(family, "filter")
    : NO_TABLE;
  return legacyState(family, table, adminChains);
}

/**
 * Where a family's rules belong: in the table of the host's iptables, without which nf_tables is used, and in that of the
 * other variant if it may drop forwarded packets. Accepting a packet in one table does not keep it in another (F20).
 * @throws CniError if there is neither nf_tables nor iptables-legacy
 */
export async function placesFor(connection: Connection | undefined, family: Family): Promise<Place[]> {
  const host = await hostTable(connection, family);
  if (host === undefined && connection === undefined) {
    const program = `${family === 4 ? "iptables" : "ip6tables"}-legacy-restore`;
    throw new CniError(
      code.internal,
      `cannot make IPv${family} rules: this kernel has no nf_tables, and there is no program ${program} in the system's ` +
        "folders or on PATH; load the kernel module nf_tables, or install iptables-legacy",
    );
  }
  const places: Place[] = [host ?? { family, connection }];
  if (places[0]?.connection === undefined) {
    const found = connection && findChains(connection, [IPTABLES_FORWARD[family]])[0];
    if (connection !== undefined && (found?.base?.policy === 0 || (found?.use ?? 0) > 0))
      places.push({ family, connection });
  } else if (hasLegacyTable(family, "filter") && (await findLegacyRestore(family)) !== undefined) {
    const state = await readLegacy(family);
    if (state.drops || rulesOf(state, FORWARD).length > 0) places.push({ family, connection: undefined });
  }
  return places;
}

/**
 * Changes the tables, those of nf_tables together in one transaction, each of x_tables by one child. A family that the
 * kernel's nf_tables does not have is served by iptables-legacy. @throws CniError, NetlinkError
 */
export async function updatePlaces(
  places: readonly Place[],
  adminChains: readonly string[],
  interest: Interest | undefined,
  plan: FilterPlan,
): Promise<void> {
  const families = FAMILIES.filter((family) =>
    places.some((place) => place.family === family && place.connection !== undefined),
  );
  const connection = places.find((place) => place.connection !== undefined)?.connection;
  const legacy = places.filter((place) => place.connection === undefined);
  if (connection !== undefined) {
    try {
      updateNft(connection, families, adminChains, interest, plan);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      // The kernel may have nf_tables for only one of the families. Then the transaction changed nothing.
      for (const family of families) {
        try {
          updateNft(connection, [family], adminChains, interest, plan);
        } catch (again) {
          const other = isUnsupported(again) ? await legacyTable(family) : undefined;
          if (other === undefined) throw again;
          if (legacy.every((place) => place.family !== family)) legacy.push(other);
        }
      }
    }
  }
  for (const { family } of legacy) {
    const { updateLegacy } = await import("../iptables/legacy-changes.ts");
    await updateLegacy(family, "filter", CNI_FORWARD, async () =>
      plan(await readLegacy(family, adminChains)),
    );
  }
}

function updateNft(
  connection: Connection,
  families: readonly Family[],
  adminChains: readonly string[],
  interest: Interest | undefined,
  plan: FilterPlan,
): void {
  update(connection, () => {
    const requests: Request[] = [];
    for (const state of nftStates(connection, families, adminChains, interest)) {
      const base = IPTABLES_FORWARD[state.family];
      const changes = plan(state);
      for (const request of requestsFor(base, changes, state.chains.has(FORWARD) ? [] : [base]))
        requests.push(request);
      const chains = changes.filter(({ action }) => action === "delete chain").length;
      const rules = changes.filter(
        (change) => change.action === "delete" && change.rule.chain === FORWARD,
      ).length;
      if (chains > 0)
        for (const request of emptied(connection, base, { rules, chains })) requests.push(request);
    }
    return requests;
  });
}

/** The tables that have rules of the layout: the host's iptables may have had another variant before. */
export function placesWithRules(connection: Connection | undefined): Place[] {
  const places: Place[] = [];
  if (connection !== undefined) {
    const found = findChains(
      connection,
      FAMILIES.map((family) => ({ ...IPTABLES_FORWARD[family], chain: CNI_FORWARD })),
    );
    for (const [index, family] of FAMILIES.entries())
      if (found[index] !== undefined) places.push({ family, connection });
  }
  for (const family of FAMILIES)
    if (hasLegacyTable(family, "filter")) places.push({ family, connection: undefined });
  return places;
}
