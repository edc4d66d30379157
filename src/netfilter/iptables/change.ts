/** Tables of iptables and changes to them. Both variants of iptables use these types. */
import type { Attachment } from "../../cni/attachment.ts";
import type { Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { UserDatum } from "../../netlink/nftables/userdata.ts";
import type { FoundRule, Rule } from "../rule.ts";

/** Where the tables of one family are kept. */
export interface Place {
  readonly family: Family;
  /** To nf_tables, for the nft variant; undefined for x_tables. */
  readonly connection: Connection | undefined;
}

/** For errors: "iptables-nft", "ip6tables-legacy". */
export const nameOf = ({ family, connection }: Place): string =>
  `${family === 4 ? "iptables" : "ip6tables"}-${connection === undefined ? "legacy" : "nft"}`;

/** One change of a plan. All changes are made in their order, or none. */
export type Change =
  /** A chain is deleted with its rules. Only a new chain has user data, and only nf_tables keeps it. */
  | {
      readonly action: "add chain" | "delete chain";
      readonly chain: string;
      readonly userData?: readonly UserDatum[];
    }
  /**
   * A rule at the end or the beginning of a chain. It gets the mark of `attachment`: in nf_tables as user data, in x_tables
   * as a marker rule in the chain that it leads to. Other user data is kept by nf_tables only.
   */
  | {
      readonly action: "append" | "insert";
      readonly chain: string;
      readonly rule: Rule;
      readonly attachment?: Attachment | undefined;
      readonly userData?: readonly UserDatum[];
      /** Further options in the words of iptables; nf_tables gets them as expressions. */
      readonly words?: string | undefined;
    }
  /** `text` is the rule as iptables-save writes it, for one in x_tables that a Rule cannot express. */
  | { readonly action: "delete"; readonly rule: FoundRule; readonly text?: string };
