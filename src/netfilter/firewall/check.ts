/** Checks whether the firewall rules of an attachment are complete (rule F34). It only reads. */
import { CniError, code, toCniError } from "../../cni/error.ts";
import { FAMILIES, formatIp } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { attachmentMark } from "../attachment-names.ts";
import { nameOf } from "../iptables/change.ts";
import { NO_NFTABLES, openNftables } from "../kernel.ts";
import { having } from "../nftables/found-rules.ts";
import { type Backend, chosen, requireFirewalld, sourceOf } from "./backend.ts";
import { placesFor, placesWithRules, readLegacy } from "./filter-table.ts";
import { CNI_FORWARD, parseRecord, type Wanted } from "./layout.ts";
import { missingIn } from "./missing.ts";
import { missingNftables } from "./nftables-missing.ts";
import { nftStates, rulesOf } from "./state.ts";
import { recordedIn } from "./table-state.ts";

/**
 * Returns the bridge's port that ADD has isolated, and that must still be so.
 * @throws CniError that names all rules and sources that are missing or altered
 */
export async function check(
  backend: Backend | undefined,
  zone: string,
  wanted: Wanted,
): Promise<string | undefined> {
  const { rules, isZoned } = await chosen(backend);
  using netfilter = openNftables();
  const inOwn = () => (netfilter === undefined ? [NO_NFTABLES] : missingNftables(netfilter, wanted));
  let missing = rules === "nftables" ? inOwn() : await missingInIptables(netfilter, wanted);
  // Without a configured backend the choice may have been another one when the rules were made.
  if (missing.length > 0 && backend === undefined && !isZoned && inOwn().length === 0) missing = [];
  if (isZoned) for (const rule of await missingSources(zone, wanted)) missing.push(rule);
  if (missing.length === 0) return isolatedPort(netfilter, wanted);
  const { network, containerId, ifname } = wanted.attachment;
  const addresses = wanted.addresses.map(({ address }) => formatIp(address)).join(", ");
  const { isRunning } = await import("../firewalld/firewalld.ts");
  const cause = isRunning()
    ? "firewalld runs, and its reload or restart removes rules of iptables and sources of zones"
    : "Another program flushed or changed them";
  throw new CniError(
    code.internal,
    `firewall rules of container ${JSON.stringify(containerId)} interface ${JSON.stringify(ifname)} (${addresses}) in network ` +
      `${JSON.stringify(network)} are missing or altered: ${missing.join("; ")}. ${cause}; DEL and ADD the attachment`,
  );
}

/** Rules that are complete in either variant work where packets pass only that one. */
async function missingInIptables(connection: Connection | undefined, wanted: Wanted): Promise<string[]> {
  const missing: string[] = [];
  const { attachment, adminChain } = wanted;
  for (const family of FAMILIES) {
    const addresses = wanted.addresses.map(({ address }) => address).filter((each) => each.family === family);
    if (addresses.length === 0) continue;
    const first = await placesFor(connection, family);
    const others = placesWithRules(connection).filter((place) => place.family === family);
    let reported: string[] | undefined;
    for (const place of [...first.slice(0, 1), ...others]) {
      const [state] =
        place.connection === undefined
          ? [await readLegacy(family)]
          : nftStates(place.connection, [family], [adminChain], { attachment, addresses });
      const found = state && missingIn(wanted, state, `the filter table of ${nameOf(place)}`);
      reported ??= found;
      if (found?.length !== 0) continue;
      reported = found;
      break;
    }
    for (const rule of reported ?? []) missing.push(rule);
  }
  return missing;
}

/** The port in the record of the attachment: the reference isolates none, and x_tables has no records. */
function isolatedPort(
  netfilter: Connection | undefined,
  { attachment, ingress }: Wanted,
): string | undefined {
  if (netfilter === undefined || ingress?.policy !== "isolated") return undefined;
  const mark = attachmentMark(attachment);
  const interest = { attachment, addresses: [] };
  const records = nftStates(netfilter, FAMILIES, [], interest)
    .flatMap((state) => rulesOf(state, CNI_FORWARD))
    .map((found) => ({ mark: found.mark, ingress: parseRecord(found.ingress) }));
  return [...records, ...recordedIn(netfilter, having([mark]))].find(
    (found) => found.mark === mark && found.ingress?.isolatedPort !== undefined,
  )?.ingress?.isolatedPort;
}

async function missingSources(zone: string, { addresses }: Wanted): Promise<string[]> {
  try {
    using firewalld = await requireFirewalld();
    return addresses.flatMap(({ address }) => {
      const source = sourceOf(address);
      return firewalld.hasSource(zone, source)
        ? []
        : `zone ${JSON.stringify(zone)} of firewalld lacks the source ${source}`;
    });
  } catch (error) {
    return [toCniError(error).message];
  }
}
