/** Rule sets as their own tools list them, without what counts or is numbered. */
import { outputOf } from "../../support/command.ts";

/** Lines of iptables-save's nat table: rules and user-defined chains. */
export async function iptablesRules(program: string): Promise<string[]> {
  const lines = (await outputOf([`${program}-save`, "-t", "nat"])).split("\n");
  return lines
    .filter((line) => line.startsWith("-A ") || (line.startsWith(":") && line.includes(" - ")))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, ""));
}

/** The whole rule set of nf_tables as JSON, one line each. */
export async function nftRules(): Promise<string[]> {
  const { nftables } = JSON.parse(await outputOf(["nft", "-j", "list", "ruleset"])) as {
    nftables: Record<string, unknown>[];
  };
  return nftables
    .filter((entry) => !("metainfo" in entry))
    .map((entry) =>
      JSON.stringify(entry, (key, value) =>
        ["handle", "packets", "bytes"].includes(key) ? undefined : value,
      ),
    );
}

/** A listing of `nft list table`, or nothing where the table is not there; without handles. */
export async function nftTable(family: string, table: string): Promise<string> {
  const names = (await outputOf(["nft", "list", "tables"])).split("\n");
  return names.includes(`table ${family} ${table}`)
    ? await outputOf(["nft", "list", "table", family, table])
    : "";
}

/** Everything that any tool lists. */
export const everything = async (): Promise<string[]> => [
  ...(await nftRules()),
  ...(await iptablesRules("iptables-nft")),
  ...(await iptablesRules("ip6tables-nft")),
];
