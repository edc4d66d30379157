/**
 * Conditions of mappings (M58) in the words of nft or iptables. The tool itself compiles them: it writes a rule with them
 * into a chain that no packet reaches. Our transaction takes over that rule's expressions, and deletes the chain.
 */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code } from "../../cni/error.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { commit } from "../../netlink/nftables/batch.ts";
import { deleteChain } from "../../netlink/nftables/chain.ts";
import { addElements, decodeElements, getElements } from "../../netlink/nftables/element.ts";
import type { Expression } from "../../netlink/nftables/expression.ts";
import { decodeRule, dumpRules, flushChain } from "../../netlink/nftables/rule.ts";
import { copySet, decodeSet, dumpSets, NEW_ANONYMOUS } from "../../netlink/nftables/set.ts";
import {
  addTable,
  decodeTable,
  deleteTable,
  getTable,
  type TableName,
} from "../../netlink/nftables/table.ts";
import { runProgram } from "../../sys/child.ts";
import { findProgram, findRestore } from "../iptables/host.ts";
import { restore } from "../iptables/restore.ts";
import { findChains, getEach } from "../kernel.ts";
import { madeHere } from "../nftables/base-chains.ts";
import { isMarked } from "../nftables/own-tables.ts";
import { update } from "../nftables/update.ts";
import type { Protocol } from "../rule.ts";
import { conditionsPlaces } from "./conditions-place.ts";

/** Conditions as expressions of nf_tables. */
export interface Compiled {
  /**
   * The expressions for one more rule, and the requests that add the sets that they look up.
   * @param setId number within the transaction of the first of these sets
   */
  instance(
    where: TableName,
    setId: number,
  ): {
    readonly expressions: readonly Expression[];
    readonly requests: readonly Request[];
    readonly sets: number;
  };
}

/** What the tool has compiled, and the requests that delete what it was written into. */
export interface Compilation {
  readonly compiled: Compiled;
  readonly cleanUp: readonly Request[];
}

const noTool = (tool: string, family: Family, words: readonly string[]): CniError =>
  new CniError(
    code.unsupportedField,
    `cannot use conditionsV${family} ${JSON.stringify(words)}: only ${tool} can read its first word ${JSON.stringify(words[0])}, ` +
      `and ${tool} is neither in the system's folders nor on PATH; install it, or remove the conditions`,
  );

/** Compiles words of nft. @throws CniError code 2 without nft, 7 for words that nft refuses */
export function compileForNft(
  connection: Connection,
  attachment: Attachment,
  family: Family,
  words: readonly string[],
): Compilation {
  const path = findProgram("nft");
  if (path === undefined) throw noTool("nft", family, words);
  const { ofNft } = conditionsPlaces(attachment, family);
  const { chain, ...table } = ofNft;
  const name = `${table.family} ${table.table}`;
  // One that a killed ADD has left is replaced.
  const text = [
    `table ${name}`,
    `delete table ${name}`,
    `table ${name} {`,
    `chain ${chain} {`,
    `${words.join(" ")} accept`,
    "}",
    "}",
    "",
  ];
  const { exitCode, stderr } = runProgram({
    path,
    arguments: ["-f", "-"],
    stdin: new TextEncoder().encode(text.join("\n")),
  });
  if (exitCode !== 0) throw refused("nft", family, words, stderr);
  return {
    compiled: compiledFrom(connection, ofNft),
    cleanUp: [deleteTable(table)],
  };
}

/** Compiles words of iptables-nft for a protocol. @throws CniError as above */
export function compileForIptables(
  connection: Connection,
  attachment: Attachment,
  family: Family,
  words: readonly string[],
  protocol: Protocol,
): Compilation {
  const path = findRestore(family);
  if (path === undefined) throw noTool(family === 4 ? "iptables" : "ip6tables", family, words);
  const where = conditionsPlaces(attachment, family).ofIptables;
  const { family: tableFamily, table, chain } = where;
  // iptables does not mark a table that it makes, so the last DEL would leave it.
  commit(connection, [addTable({ family: tableFamily, table, userData: [madeHere] })]);
  restore(path, "nat", [
    `:${chain} - [0:0]`,
    `-F ${chain}`,
    `-A ${chain} -p ${protocol} ${quoted(words)} -j ACCEPT`,
  ]);
  return { compiled: compiledFrom(connection, where), cleanUp: [flushChain(where), deleteChain(where)] };
}

/** Words as iptables-restore reads them. */
export const quoted = (words: readonly string[]): string =>
  words
    .map((word) => (/^[\w./:,!=+-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, "\\$&")}"`))
    .join(" ");

function refused(tool: string, family: Family, words: readonly string[], stderr: Uint8Array): CniError {
  const [first = ""] = new TextDecoder().decode(stderr).trim().split("\n");
  return new CniError(
    code.invalidConfig,
    `${tool} does not accept conditionsV${family} ${JSON.stringify(words)}: ${first.replace(/^\S*: /, "")}`,
  );
}

/** The expressions of the only rule of a chain, without its verdict. */
function compiledFrom(connection: Connection, where: TableName & { readonly chain: string }): Compiled {
  const [rule] = connection.dump(dumpRules(where), decodeRule);
  const own = (rule?.expressions ?? []).filter(({ name }) => name !== "counter" && name !== "immediate");
  const names = own.flatMap((each) => (each.name === "lookup" ? each.set : []));
  const sets =
    names.length === 0
      ? []
      : connection
          .dump(dumpSets(where), decodeSet)
          .filter(({ set }) => names.includes(set))
          .map((set) => {
            const place = { family: where.family, table: where.table, set: set.set };
            return { set, elements: connection.dump(getElements(place), decodeElements).flat() };
          });
  return {
    instance({ family, table }, setId) {
      const requests: Request[] = [];
      const numbers = new Map<string, number>();
      for (const [index, { set, elements }] of sets.entries()) {
        const id = setId + index;
        numbers.set(set.set, id);
        requests.push(copySet(set, { family, table }, id));
        requests.push(addElements({ family, table, set: NEW_ANONYMOUS, id }, elements));
      }
      const expressions = own.map((each): Expression => {
        const id = each.name === "lookup" ? numbers.get(each.set) : undefined;
        return each.name === "lookup" && id !== undefined ? { ...each, set: NEW_ANONYMOUS, setId: id } : each;
      });
      return { expressions, requests, sets: sets.length };
    },
  };
}

/** Deletes what a failed or killed ADD has left of its conditions. @throws NetlinkError */
export function removeLeftConditions(connection: Connection, attachment: Attachment): void {
  for (const family of FAMILIES) {
    const { ofNft, ofIptables } = conditionsPlaces(attachment, family);
    update(connection, () => {
      const [own, chain] = findChains(connection, [ofNft, ofIptables]);
      return [
        ...(own === undefined ? [] : [deleteTable(ofNft)]),
        ...(chain === undefined ? [] : [flushChain(chain), deleteChain(chain)]),
      ];
    });
    // The table that iptables needed.
    update(connection, () => {
      const [reply] = getEach(connection, [getTable(ofIptables)]);
      const table = reply && decodeTable(reply);
      return isMarked(table) && !table?.use ? [deleteTable(ofIptables)] : [];
    });
  }
}
