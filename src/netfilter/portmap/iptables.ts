/** Changes the nat tables of both variants of iptables for published ports. */
import { CniError, code } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { portChain } from "../attachment-names.ts";
import { type Change, nameOf } from "../iptables/change.ts";
import { findLegacyRestore } from "../iptables/host.ts";
import { requestsFor } from "../iptables/nft-changes.ts";
import { IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";
import type { Compilation } from "./conditions.ts";
import { planSetUp, rivalEntries, rivalOf } from "./iptables-plan.ts";
import { type NatState, planTearDown } from "./iptables-removal.ts";
import { readLegacy, readNft, readOwnNft } from "./iptables-state.ts";
import type { Published, Rival } from "./published.ts";
import type { Step, Verdicts } from "./step.ts";

/** M59: the error for a chain of another program that does not exist. */
function noExternalChain({ externalSetMarkChain: chain = "" }: Published, table: string): CniError {
  const made = chain.startsWith("KUBE-")
    ? "kube-proxy has not made it (yet)"
    : "the program that makes it has not done so yet";
  return new CniError(
    code.tryAgainLater,
    `chain ${chain} is not in table nat of ${table}: ${made}; start that program, or remove externalSetMarkChain`,
  );
}

/** The part of a transaction for each family of iptables-nft. */
export async function stepOfNft(
  connection: Connection,
  published: Published,
  families: readonly Family[],
): Promise<(family: Family, verdicts: Verdicts) => Step> {
  const compiled = new Map<string, Compilation>();
  for (const family of families) {
    const words = published.conditions[family];
    if (words === undefined) continue;
    const { compileForIptables } = await import("./conditions.ts");
    for (const protocol of new Set(published.mappings.map((mapping) => mapping.protocol)))
      compiled.set(
        `${family} ${protocol}`,
        compileForIptables(connection, published, family, words, protocol),
      );
  }
  return (family, verdicts) => {
    const state = readNft(connection, family, published);
    if (published.snat && !state.hasExternalChain)
      throw noExternalChain(published, nameOf({ family, connection }));
    const table = IPTABLES_POSTROUTING[family];
    const rivals: Rival[] = [];
    const changes: Change[] = [];
    const dead = new Map<string, Set<string>>();
    const stateOf = (chain: string): NatState => readOwnNft(connection, family, chain);
    for (const { entry, mapping, chain } of rivalEntries(state, published, family, stateOf)) {
      const rival = rivalOf(entry, mapping);
      rivals.push(rival);
      if (verdicts.get(rival.record) === "gone" && rival.mark !== undefined)
        dead.set(chain, (dead.get(chain) ?? new Set()).add(rival.mark));
    }
    for (const [chain, marks] of dead) {
      const owned = { mark: (mark: string) => marks.has(mark), comment: () => false, address: () => false };
      const tearDown = planTearDown(stateOf(chain), chain, owned);
      for (const change of tearDown.changes) changes.push(change);
    }
    for (const change of planSetUp(state, published, family, false).changes) changes.push(change);
    let setId = 1;
    const requests = requestsFor(table, changes, state.missing, (rule) => {
      const compilation = rule.ports === undefined ? undefined : compiled.get(`${family} ${rule.protocol}`);
      const instance = compilation?.compiled.instance(table, setId);
      setId += instance?.sets ?? 0;
      return instance;
    });
    // Conditions of all protocols were compiled in the same chain.
    const [first] = [...compiled].flatMap(([key, each]) => (key.startsWith(`${family} `) ? [each] : []));
    return { requests: [...requests, ...(first?.cleanUp ?? [])], rivals };
  };
}

/** Changes the table of iptables-legacy. @returns the rivals */
export async function updateLegacyTable(published: Published, family: Family): Promise<readonly Rival[]> {
  const { updateLegacy } = await import("../iptables/legacy-changes.ts");
  const chain = portChain(published);
  const words = published.conditions[family];
  const text = words && (await import("./conditions.ts")).quoted(words);
  let rivals: readonly Rival[] | undefined;
  const { externalSetMarkChain } = published;
  await updateLegacy(family, "nat", chain, async () => {
    const state = await readLegacy(family);
    if (published.snat && externalSetMarkChain !== undefined && !state.chains.has(externalSetMarkChain))
      throw noExternalChain(published, nameOf({ family, connection: undefined }));
    rivals ??= rivalEntries(state, published, family, () => state).map(({ entry, mapping }) =>
      rivalOf(entry, mapping),
    );
    const planned = planSetUp(state, published, family, true);
    const changes = await withTexts(family, planned.changes);
    return text === undefined
      ? changes
      : changes.map((change) =>
          "rule" in change && change.action !== "delete" && change.rule.ports !== undefined
            ? { ...change, words: text }
            : change,
        );
  });
  return rivals ?? [];
}

/** The deletions of rules that a Rule cannot express, such as those with conditions, with their texts. */
export async function withTexts(family: Family, changes: readonly Change[]): Promise<readonly Change[]> {
  if (!changes.some((change) => change.action === "delete" && change.rule.rule === undefined)) return changes;
  const lines = (await savedLines(family)).filter((line) => line.startsWith("-A "));
  return changes.map((change): Change => {
    if (change.action !== "delete" || change.rule.rule !== undefined) return change;
    const { chain, target, part } = change.rule;
    const ports = part?.ports === undefined ? "" : ` --dports ${part.ports.join(",")} `;
    const at = lines.findIndex(
      (line) => line.startsWith(`-A ${chain} `) && line.endsWith(` -j ${target}`) && line.includes(ports),
    );
    const [line = ""] = at < 0 ? [] : lines.splice(at, 1);
    return line === "" ? change : { ...change, text: line.slice(`-A ${chain} `.length) };
  });
}

/** The nat table as iptables-legacy-save writes it. @throws CniError */
async function savedLines(family: Family): Promise<string[]> {
  const path = (await findLegacyRestore(family))?.replace(/-restore$/, "-save");
  if (path === undefined) return [];
  const { runProgram } = await import("../../sys/child.ts");
  const { stdout } = runProgram({ path, arguments: ["-t", "nat"] });
  return new TextDecoder().decode(stdout).split("\n");
}
