/** Changes of a table of iptables-legacy: as lines for iptables-restore, and made by one child for each attempt. */
import { CniError, code } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import { LockTimeoutError } from "../../sys/flock.ts";
import { lockRules } from "../../sys/netns-lock.ts";
import { isFileFailure } from "../../sys/own-file.ts";
import type { TableOfIptables } from "../kernel.ts";
import { ruleText } from "../rule.ts";
import { marker } from "./chain-state.ts";
import { type Change, nameOf } from "./change.ts";
import { loadLines } from "./legacy-table.ts";

/** Attempts to change x_tables, since other programs may write between our reading and our writing. */
const ATTEMPTS = 20;

/**
 * Makes the changes of `plan` in one transaction, and then plans again until nothing is left to do: another program may
 * have been faster. `subject` is the chain that an error names. @throws CniError; what `plan` throws
 */
export async function updateLegacy(
  family: Family,
  table: TableOfIptables,
  subject: string,
  plan: () => Promise<readonly Change[]>,
): Promise<void> {
  using _lock = lock();
  const needed = async (): Promise<string[]> => (await plan()).flatMap(linesOf);
  let lines = await needed();
  for (let attempt = 1; lines.length > 0; attempt++) {
    if (attempt > ATTEMPTS) {
      const name = nameOf({ family, connection: undefined });
      throw new CniError(
        code.tryAgainLater,
        `cannot change chain ${subject} of the ${table} table of ${name}: after ${ATTEMPTS} attempts the rules differ ` +
          "from those that were written; another program changes them at the same time, try again later",
      );
    }
    const written = lines;
    try {
      await loadLines(family, table, written);
      lines = await needed();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      lines = await needed();
      // The child fails if another program has already made a change; then other lines are needed now.
      if (`${lines}` === `${written}`) throw error;
    }
  }
}

/** Without the lock, parallel calls write a shared rule twice, and then remove one of them. */
function lock(): Disposable | undefined {
  try {
    return lockRules();
  } catch (error) {
    if (error instanceof LockTimeoutError) {
      const message = `cannot change rules of iptables-legacy: ${error.message}; see which program holds the lock with "fuser -v ${error.path}", then try again`;
      throw new CniError(code.tryAgainLater, message);
    }
    if (isFileFailure(error)) return undefined;
    throw error;
  }
}

/** The lines of a change for iptables-restore. A jump with an attachment is followed by its marker rule. */
export function linesOf(change: Change): string[] {
  switch (change.action) {
    case "add chain":
      return [`:${change.chain} - [0:0]`];
    case "delete chain":
      return [`-F ${change.chain}`, `-X ${change.chain}`];
    case "delete": {
      const { chain, rule } = change.rule;
      const text = change.text ?? (rule && ruleText(rule));
      return text === undefined ? [] : [`-D ${chain} ${text}`];
    }
    default: {
      const { action, chain, rule, attachment, words } = change;
      const line = `${action === "insert" ? "-I" : "-A"} ${chain} ${ruleText(rule)}${words === undefined ? "" : ` ${words}`}`;
      const { source, target } = rule;
      if (attachment === undefined || source === undefined || target === undefined) return [line];
      return [line, `-A ${target} ${ruleText(marker(attachment, source))}`];
    }
  }
}
