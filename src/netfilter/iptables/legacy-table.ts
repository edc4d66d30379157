/**
 * The nat table of x_tables, where iptables-legacy keeps its rules. Read with getsockopt(2), as iptables-save does,
 * without a child process; written by iptables-restore, because a write replaces the whole table and has to honour
 * the lock that all programs of this variant take.
 */

import { CniError, code } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import { close } from "../../sys/descriptor.ts";
import { failedWith } from "../../sys/errno.ts";
import { getsockopt, socket } from "../../sys/socket.ts";
import { networkMark, parseIptablesComment, parseNote } from "../attachment-names.ts";
import { type FoundRule, ruleText } from "../rule.ts";
import {
  type ChainState,
  type Change,
  chainState,
  note,
  type Plan,
  POSTROUTING,
  toolOf,
} from "./chain-state.ts";
import { findLegacyRestore } from "./executable.ts";
import { decodeEntries, decodeInfo, INFO_LENGTH } from "./legacy-entries.ts";
import { hasLegacyTable } from "./legacy-presence.ts";
import { restore } from "./restore.ts";

/** Any socket of the family leads to the table. A raw one, as iptables takes, would need CAP_NET_RAW on top. */
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
/** AF_INET, AF_INET6; SOL_IP, SOL_IPV6. */
const SOCKETS = { 4: { domain: 2, level: 0 }, 6: { domain: 10, level: 41 } } as const;
/** The same numbers in both families. */
const IPT_SO_GET_INFO = 64;
const IPT_SO_GET_ENTRIES = 65;
/** struct ipt_get_entries: name[32], u32 size, padding, entries. */
const ENTRIES_AT = 40;
/** The table may grow between the two questions. */
const READ_ATTEMPTS = 100;
/** Other programs may write between our look and our write. */
const WRITE_ATTEMPTS = 20;

const nameOf = (family: Family): string => `${toolOf(family)}-legacy`;

/** The container's chain. @throws SystemError, DecodeError */
export function readLegacy(family: Family, chain: string): ChainState | undefined {
  const chains = readTable(family);
  const rules = chains.get(chain);
  if (rules === undefined) return undefined;
  const jumps = chains.get(POSTROUTING)?.filter(({ target }) => target === chain) ?? [];
  return chainState(chain, rules, jumps);
}

/** The rules of a network. @throws SystemError, DecodeError */
export const networkRulesLegacy = (family: Family, network: string): FoundRule[] =>
  [...readTable(family).values()].flat().filter(({ rule }) => {
    const mark = parseNote(rule?.comment)?.mark;
    return (
      parseIptablesComment(rule?.comment)?.network === network ||
      mark?.startsWith(networkMark(network)) === true
    );
  });

/**
 * Changes the chain by `plan`, until there is nothing more to do: another program may write at the same time.
 * @throws CniError
 */
export function updateLegacy(family: Family, chain: string, plan: Plan): void {
  const needed = (): string[] => plan(readLegacy(family, chain)).flatMap((change) => linesOf(chain, change));
  let lines = needed();
  for (let attempt = 1; lines.length > 0; attempt++) {
    if (attempt > WRITE_ATTEMPTS) {
      throw new CniError(
        code.tryAgainLater,
        `cannot change chain ${chain} of the nat table of ${nameOf(family)}: after ${WRITE_ATTEMPTS} attempts the rules are ` +
          "not those that were written; another program changes them at the same time, try again later",
      );
    }
    const written = lines;
    try {
      restore(programFor(family), written);
      lines = needed();
    } catch (error) {
      if (attempt === WRITE_ATTEMPTS) throw error;
      lines = needed();
      // A change that another program has made already makes the child fail: then what is needed differs.
      if (`${lines}` === `${written}`) throw error;
    }
  }
}

function programFor(family: Family): string {
  const program = findLegacyRestore(family);
  if (program !== undefined) return program.path;
  const name = nameOf(family);
  throw new CniError(
    code.internal,
    `cannot change rules of the nat table of ${name}: no program ${name}-restore in the system's folders or on PATH; ` +
      `install iptables`,
  );
}

/** All rules that there are, by chain. */
function readTable(family: Family): ReadonlyMap<string, readonly FoundRule[]> {
  if (!hasLegacyTable(family)) return new Map();
  const { domain, level } = SOCKETS[family];
  const fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    for (let attempt = 1; ; attempt++) {
      const info = new Uint8Array(INFO_LENGTH);
      info.set(new TextEncoder().encode("nat"));
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

/** What a change is to iptables-restore. A note follows its jump: the attachment has no other place. */
export function linesOf(chain: string, change: Change): string[] {
  switch (change.action) {
    case "add chain":
      return [`:${chain} - [0:0]`];
    case "delete chain":
      return [`-F ${chain}`, `-X ${chain}`];
    case "insert":
      return [`-I ${change.chain} ${ruleText(change.rule)}`];
    case "append": {
      const { rule, attachment } = change;
      const line = `-A ${change.chain} ${ruleText(rule)}`;
      if (attachment === undefined || rule.source === undefined) return [line];
      return [line, `-A ${chain} ${ruleText(note(attachment, rule.source))}`];
    }
    case "delete": {
      const { rule } = change.rule;
      return rule === undefined ? [] : [`-D ${change.rule.chain} ${ruleText(rule)}`];
    }
  }
}
