/**
 * The nat table of x_tables, where iptables-legacy keeps its rules. Read with getsockopt(2), as iptables-save does,
 * without a child process; written by iptables-restore, because a write replaces the whole table and has to honour
 * the lock that all programs of this variant take.
 */
import { CniError, code } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import { failedWith } from "../../sys/errno.ts";
import { readText } from "../../sys/file.ts";
import * as libc from "../../sys/libc.ts";
import { iptablesText } from "../address-rule.ts";
import { networkMark, parseIptablesComment, parseNote } from "../attachment-names.ts";
import { findLegacyRestore } from "./executable.ts";
import {
  decodeEntries,
  decodeInfo,
  INFO_LENGTH,
  type LegacyChains,
  type LegacyRule,
} from "./legacy-entries.ts";
import { restore } from "./restore.ts";
import { type ChainState, chainState, type NatTable, note, type Step } from "./state.ts";

const TABLE = "nat";
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

/** Whether the kernel has the table in this network namespace. It does not until someone uses it: asking would make it. */
export function hasLegacyTable(family: Family): boolean {
  try {
    return readText(`/proc/thread-self/net/${family === 4 ? "ip" : "ip6"}_tables_names`)
      .split("\n")
      .includes(TABLE);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return false;
    throw error;
  }
}

/** The table of one family. */
export class LegacyNatTable implements NatTable {
  readonly family: Family;
  readonly name: string;

  constructor(family: Family) {
    this.family = family;
    this.name = family === 4 ? "iptables-legacy" : "ip6tables-legacy";
  }

  read(chain: string): ChainState | undefined {
    return hasLegacyTable(this.family) ? stateOf(this.entries(), chain) : undefined;
  }

  readAll(network: string): readonly ChainState[] {
    if (!hasLegacyTable(this.family)) return [];
    const entries = this.entries();
    const mark = networkMark(network);
    const chains = new Set<string>();
    for (const [chain, rules] of entries) {
      for (const { rule, jump } of rules) {
        const isOfNetwork =
          parseIptablesComment(rule?.comment)?.network === network ||
          parseNote(rule?.comment)?.mark.startsWith(mark);
        if (isOfNetwork) chains.add(jump ?? chain);
      }
    }
    return [...chains]
      .filter((chain) => chain.startsWith("CNI-"))
      .flatMap((chain) => stateOf(entries, chain) ?? []);
  }

  /** Writes until there is nothing more to do, since another program may have written at the same time. */
  update(chain: string, plan: (state: ChainState | undefined) => readonly Step[]): void {
    for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt++) {
      const steps = plan(this.read(chain));
      if (steps.length === 0) return;
      try {
        restore(
          this.program(),
          steps.flatMap((step) => linesOf(chain, step)),
        );
      } catch (error) {
        const state = (): string => JSON.stringify(plan(this.read(chain)).map(describeStep));
        // A step that another program has made already makes the child fail: then the next plan differs.
        if (attempt === WRITE_ATTEMPTS || state() === JSON.stringify(steps.map(describeStep))) throw error;
      }
    }
    if (plan(this.read(chain)).length === 0) return;
    throw new CniError(
      code.tryAgainLater,
      `cannot change chain ${chain} of the nat table of ${this.name}: after ${WRITE_ATTEMPTS} attempts the rules are not ` +
        "those that were written; another program changes them at the same time, try again later",
    );
  }

  private program() {
    const program = findLegacyRestore(this.family);
    if (program !== undefined) return program;
    const name = `${this.name}-restore`;
    throw new CniError(
      code.internal,
      `cannot change rules of the nat table of ${this.name}: no program ${name} in the system's folders or on PATH; ` +
        `install iptables`,
    );
  }

  private entries(): LegacyChains {
    const { domain, level } = SOCKETS[this.family];
    const socket = libc.socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    try {
      for (let attempt = 1; ; attempt++) {
        const info = new Uint8Array(INFO_LENGTH);
        info.set(new TextEncoder().encode(TABLE));
        libc.getsockopt(socket, level, IPT_SO_GET_INFO, info);
        const decoded = decodeInfo(info);
        const entries = new Uint8Array(ENTRIES_AT + decoded.size);
        entries.set(info.subarray(0, 32));
        new DataView(entries.buffer).setUint32(32, decoded.size, true);
        try {
          libc.getsockopt(socket, level, IPT_SO_GET_ENTRIES, entries);
          return decodeEntries(entries.subarray(ENTRIES_AT), decoded, this.family);
        } catch (error) {
          if (attempt >= READ_ATTEMPTS || !failedWith(error, "EAGAIN")) throw error;
        }
      }
    } finally {
      libc.close(socket);
    }
  }
}

/** What a step is to iptables-restore. A note follows its jump: the interface has no other place. */
export function linesOf(chain: string, step: Step): string[] {
  switch (step.kind) {
    case "add chain":
      return [`:${chain} - [0:0]`];
    case "insert":
      return [`-I ${chain} ${iptablesText(step.rule)}`];
    case "append":
      return [`-A ${chain} ${iptablesText(step.rule)}`];
    case "add jump": {
      const { rule, attachment } = step;
      return [
        `-A POSTROUTING ${iptablesText(rule)}`,
        ...(rule.source ? [`-A ${chain} ${iptablesText(note(attachment, rule.source))}`] : []),
      ];
    }
    case "delete rule":
      return step.rule.rule === undefined ? [] : [`-D ${chain} ${iptablesText(step.rule.rule)}`];
    case "delete jump": {
      const { rule, note: record } = step.jump;
      return [
        ...(rule === undefined ? [] : [`-D POSTROUTING ${iptablesText(rule)}`]),
        ...(record?.rule === undefined ? [] : [`-D ${chain} ${iptablesText(record.rule)}`]),
      ];
    }
    case "delete chain":
      return [`-F ${chain}`, `-X ${chain}`];
  }
}

function stateOf(entries: LegacyChains, chain: string): ChainState | undefined {
  const rules = entries.get(chain);
  if (rules === undefined) return undefined;
  const jumps = (entries.get("POSTROUTING") ?? []).filter(({ jump }) => jump === chain);
  const stored = ({ rule }: LegacyRule) => ({ rule });
  return chainState(chain, rules.map(stored), jumps.map(stored));
}

/** A step without what is no part of it, for comparing. */
function describeStep(step: Step): unknown {
  if (step.kind === "delete rule") return [step.kind, step.rule.rule && iptablesText(step.rule.rule)];
  if (step.kind === "delete jump") return [step.kind, step.jump.rule && iptablesText(step.jump.rule)];
  return "rule" in step ? [step.kind, iptablesText(step.rule)] : [step.kind];
}
