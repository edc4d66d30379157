/** What publishing needs to know beside the configuration: the way to the container, and which other containers live. */
import type { Request } from "../../cni/plugin.ts";
import { thisBoot } from "../../leases/boot.ts";
import { formatRecord, type NetnsRecord, parseRecord } from "../../leases/netns-record.ts";
import { connect } from "../../links/namespaces.ts";
import { interfaceTo } from "../../links/way.ts";
import type { Family } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";

/** The interface that leads to the container's IPv4 address. */
export function deviceOf(addresses: { readonly [F in Family]?: Prefix | undefined }): string | undefined {
  const address = addresses[4]?.address;
  if (address === undefined) return undefined;
  using host = connect();
  return interfaceTo(host, address);
}

/** The digest of a record's content guards a lease against other programs. A rule is written only as a whole. */
const CONTENT = "";

/** What is recorded of the container's namespace with its rules; empty if it cannot be opened. */
export function recordOf({ netns }: Request): string {
  const record = thisBoot.record(netns);
  return record === undefined ? "" : formatRecord(record, CONTENT);
}

/** Of these records, those whose namespace is proven gone; all of earlier boots are. */
export async function goneOf(records: readonly string[]): Promise<ReadonlySet<string>> {
  const boot = thisBoot.id();
  const gone = new Set<string>();
  const texts = new Map<NetnsRecord, string>();
  for (const text of records) {
    const record = parseRecord(text, CONTENT);
    if (record === undefined || boot === undefined) continue;
    if (record.boot === boot) texts.set(record, text);
    else gone.add(text);
  }
  for (const record of await thisBoot.gone([...texts.keys()])) gone.add(texts.get(record) ?? "");
  return gone;
}
