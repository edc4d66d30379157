/**
 * A table of x_tables, where iptables-legacy keeps its rules. It is read with getsockopt(2), as iptables-save
 * does, so without a child process. It is written by iptables-restore, because a write replaces the whole table and
 * must respect the lock that all programs of this variant take.
 */
import { CniError, code } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import { close } from "../../sys/descriptor.ts";
import { failedWith } from "../../sys/errno.ts";
import { getsockopt, socket } from "../../sys/socket.ts";
import type { TableOfIptables } from "../kernel.ts";
import { findLegacyRestore } from "./host.ts";
import { decodeEntries, decodeInfo, INFO_LENGTH, type LegacyTable } from "./legacy-entries.ts";
import { restore } from "./restore.ts";

/** Any socket of the family gives access to the table. The raw one of iptables would also need CAP_NET_RAW. */
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
/** AF_INET, AF_INET6; SOL_IP, SOL_IPV6. */
const SOCKETS = { 4: { domain: 2, level: 0 }, 6: { domain: 10, level: 41 } } as const;
/** Both families have the same numbers. */
const IPT_SO_GET_INFO = 64;
const IPT_SO_GET_ENTRIES = 65;
/** struct ipt_get_entries: name[32], u32 size, padding, entries. */
const ENTRIES_AT = 40;
/** The table may grow between the two calls. */
const READ_ATTEMPTS = 100;

/** Reads a table, which exists (`hasLegacyTable`): reading would create it. @throws SystemError, DecodeError */
export function readTable(family: Family, table: TableOfIptables): LegacyTable {
  const { domain, level } = SOCKETS[family];
  const fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    for (let attempt = 1; ; attempt++) {
      const info = new Uint8Array(INFO_LENGTH);
      info.set(new TextEncoder().encode(table));
      getsockopt(fd, level, IPT_SO_GET_INFO, info);
      const decoded = decodeInfo(info);
      const entries = new Uint8Array(ENTRIES_AT + decoded.size);
      entries.set(info.subarray(0, 32));
      new DataView(entries.buffer).setUint32(32, decoded.size, true);
      try {
        getsockopt(fd, level, IPT_SO_GET_ENTRIES, entries);
        return decodeEntries(entries.subarray(ENTRIES_AT), decoded, family);
      } catch (error) {
        if (attempt >= READ_ATTEMPTS || !failedWith(error, "EAGAIN")) throw error;
      }
    }
  } finally {
    close(fd);
  }
}

/** Loads lines with iptables-restore, all or none. @throws CniError */
export async function loadLines(
  family: Family,
  table: TableOfIptables,
  lines: readonly string[],
): Promise<void> {
  const path = await findLegacyRestore(family);
  const name = `${family === 4 ? "iptables" : "ip6tables"}-legacy`;
  if (path !== undefined) restore(path, table, lines);
  else
    throw new CniError(
      code.internal,
      `cannot change rules of the ${table} table of ${name}: there is no program ${name}-restore in the system's folders or on PATH; ` +
        `install iptables`,
    );
}
