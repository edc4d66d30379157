/** The messages of a netlink socket in words: requests as they are sent, and what the kernel answers. */
import { formatIp, type IpAddress } from "../net/ip.ts";
import { FLOW } from "../netlink/conntrack/flow.ts";
import { decode } from "../netlink/decode.ts";
import { control, decodeAck, decodeMessages, flag, type Message } from "../netlink/message.ts";
import { CHAIN } from "../netlink/nftables/chain.ts";
import { ELEMENTS } from "../netlink/nftables/element.ts";
import { decodeExpression } from "../netlink/nftables/expression.ts";
import { RULE } from "../netlink/nftables/rule.ts";
import { SET } from "../netlink/nftables/set.ts";
import { TABLE } from "../netlink/nftables/table.ts";
import { ADDRESS } from "../netlink/rtnetlink/address.ts";
import { AF_BRIDGE, interfaceFlag, LINK, OPERSTATES } from "../netlink/rtnetlink/link.ts";
import { NEIGHBOUR } from "../netlink/rtnetlink/neighbour.ts";
import { ROUTE } from "../netlink/rtnetlink/route.ts";
import { PORT_VLANS } from "../netlink/rtnetlink/vlan.ts";
import { NEST, nest, type Schema } from "../netlink/schema.ts";
import { describeErrno } from "../sys/errno.ts";
import { expressionsInWords, type Fields, plain, wordsOf } from "./values.ts";

/** NETLINK_* of uapi linux/netlink.h, as in socket.ts: its import would cost the compact file a page. */
const ROUTE_FAMILY = 0;
const SOCKETS_FAMILY = 4;

/** VETH_INFO_PEER; veth.ts only writes it. */
const VETH = nest([[1, "peer", NEST, LINK]]);

/** What a message is about, and how it is read. */
interface Kind {
  readonly noun: string;
  readonly schema?: Schema;
}

/** RTM_* of uapi linux/rtnetlink.h, in groups of four: new, delete, get, set. */
const ROUTE_KINDS: Readonly<Record<number, Kind>> = {
  16: { noun: "link", schema: LINK },
  20: { noun: "address", schema: ADDRESS },
  24: { noun: "route", schema: ROUTE },
  28: { noun: "neighbour", schema: NEIGHBOUR },
  88: { noun: "namespace number" },
};
const ROUTE_VERBS = ["new", "delete", "get", "set"] as const;

/** NFT_MSG_* of uapi linux/netfilter/nf_tables.h, in groups of three: new, get, delete. */
const TABLE_KINDS: readonly Kind[] = [
  { noun: "table", schema: TABLE },
  { noun: "chain", schema: CHAIN },
  { noun: "rule", schema: RULE },
  { noun: "set", schema: SET },
  { noun: "elements of set", schema: ELEMENTS },
  { noun: "generation" },
];
const TABLE_VERBS = ["new", "get", "delete"] as const;

/** Subsystems of nfnetlink, in the high byte of a type (uapi linux/netfilter/nfnetlink.h). */
const SUBSYSTEM = { conntrack: 1, nftables: 10, compat: 11 } as const;
/** NFNL_MSG_BATCH_BEGIN and _END. */
const BATCH: Readonly<Record<number, string>> = { 16: "begin a transaction", 17: "end the transaction" };

/** One socket, in the namespace where it was opened. */
export class Conversation {
  private readonly place: string;
  private readonly family: number;
  /** Names of links by index, as far as they were seen. */
  private readonly links = new Map<number, string>();

  constructor(place: string, family: number) {
    this.place = place;
    this.family = family;
  }

  /** Lines for the requests in a datagram. */
  sent(datagram: Uint8Array): string[] {
    return this.linesOf(datagram, (message) => {
      const { verb, kind } = this.kindOf(message);
      const noun = verb === "list " ? manyOf(kind.noun) : kind.noun;
      return `${verb}${noun}${this.content(kind, message)}`;
    });
  }

  /** Lines for the kernel's messages in a datagram. */
  received(datagram: Uint8Array): string[] {
    return this.linesOf(datagram, (message) => {
      if (message.type === control.done) return "  end of the list";
      if (message.type === control.overrun) return "  the kernel has lost messages";
      if (message.type !== control.error) {
        const { kind } = this.kindOf(message);
        return `  ${kind.noun}${this.content(kind, message)}`;
      }
      const { errno, extended } = decodeAck(message);
      if (errno === 0) return "  done";
      const { name, text } = describeErrno(errno);
      return `  refused: ${text} (${name})${extended.text === undefined ? "" : `, ${JSON.stringify(extended.text)}`}`;
    });
  }

  private linesOf(datagram: Uint8Array, words: (message: Message) => string): string[] {
    return decodeMessages(datagram).map((message) => {
      let line: string;
      try {
        line = words(message);
      } catch {
        line = `message ${message.type} of ${message.payload.length} bytes`;
      }
      return `${this.place}: ${line}`;
    });
  }

  /** What a message is about; the verb is that of a request, with a blank behind it. */
  private kindOf({ type, flags, payload }: Message): { verb: string; kind: Kind } {
    const said = (verb: string | undefined): string =>
      verb === "get" && (flags & flag.dump) === flag.dump
        ? "list "
        : verb === "new"
          ? flags & flag.create
            ? "add "
            : "change "
          : `${verb} `;
    if (this.family === SOCKETS_FAMILY) return { verb: "list ", kind: { noun: "socket" } };
    if (this.family === ROUTE_FAMILY) {
      const kind = ROUTE_KINDS[type & ~3] ?? { noun: `object ${type}` };
      const isVlans = kind.schema === LINK && payload[0] === AF_BRIDGE;
      return {
        verb: said(ROUTE_VERBS[type & 3]),
        kind: isVlans ? { noun: "VLANs", schema: PORT_VLANS } : kind,
      };
    }
    const number = type & 0xff;
    if (type >> 8 === SUBSYSTEM.nftables)
      return {
        verb: said(TABLE_VERBS[number % 3]),
        kind: TABLE_KINDS[Math.floor(number / 3)] ?? { noun: "object" },
      };
    if (type >> 8 === SUBSYSTEM.conntrack)
      return { verb: said(TABLE_VERBS[number]), kind: { noun: "flow", schema: FLOW } };
    if (type >> 8 === SUBSYSTEM.compat) return { verb: "find ", kind: { noun: "extension of x_tables" } };
    return { verb: "", kind: { noun: BATCH[type] ?? `message ${type}` } };
  }

  private content({ schema }: Kind, { payload }: Message): string {
    if (schema === undefined || payload.length < schema.size) return "";
    // A request has not all that every object has.
    const found: Fields = decode({ ...schema, required: [], rows: undefined }, payload);
    const { index, name, length, family, table, chain, set, local, destination, remote, address } = found;
    if (typeof index === "number" && typeof name === "string") this.links.set(index, name);
    const parts: string[] = [];
    const own = local ?? destination ?? remote ?? address;
    if (name !== undefined) parts.push(` ${plain(name)}`);
    else if (schema === ROUTE && own === undefined) parts.push(" default");
    if (own !== undefined)
      parts.push(` ${formatIp(own as IpAddress)}${length === undefined ? "" : `/${String(length)}`}`);
    if (set !== undefined) parts.push(` ${String(set)}`);
    if (chain !== undefined)
      parts.push(schema === CHAIN ? ` ${String(chain)}` : ` in chain ${String(chain)}`);
    if (table !== undefined)
      parts.push(`${schema === TABLE ? "" : " of table"} ${String(family)} ${String(table)}`);
    if (name === undefined && index !== undefined && index !== 0)
      parts.push(`${schema === LINK ? "" : " of link"} ${plain(this.links.get(index as number) ?? index)}`);
    const rest = this.rest(found);
    return `${parts.join("")}${rest === "" ? "" : `: ${rest}`}`;
  }

  /** The fields that are not in the headline. */
  private rest({
    data,
    portData,
    bridgePort,
    expressions,
    operstate,
    master,
    change,
    ...found
  }: Fields): string {
    const parts: string[] = [];
    if (change === undefined) parts.push(wordsOf(found, HEADLINE));
    else {
      // Only links have it: the bits of `flags` that count in a request.
      parts.push(
        flagsInWords(found.flags as number, change as number),
        wordsOf(found, [...HEADLINE, "flags"]),
      );
      if (operstate !== undefined)
        parts.push(`operstate ${OPERSTATES[operstate as number] ?? String(operstate)}`);
    }
    if (master !== undefined) parts.push(`master ${plain(this.links.get(master as number) ?? master)}`);
    if (found.kind === "veth" && data instanceof Uint8Array) {
      const { peer } = decode(VETH, data);
      if (peer !== undefined) parts.push(`peer {${wordsOf(peer as Fields, ["data"])}}`);
    }
    if (Array.isArray(expressions)) parts.push(expressionsInWords(expressions.map(decodeExpression)));
    return parts.filter((part) => part !== "").join(", ");
  }
}

const HEADLINE = [
  ...[
    "index",
    "name",
    "length",
    "family",
    "table",
    "chain",
    "set",
    "local",
    "destination",
    "remote",
    "address",
  ],
  ...["hardwareType", "filter", "unknownInfo", "unknownMetrics"],
];

/** The flags of a link that are set, or in a request those that are to be set or not. */
const flagsInWords = (flags: number, change: number): string =>
  Object.entries(interfaceFlag)
    .filter(([, bit]) => ((change === 0 ? flags : change) & bit) !== 0)
    .map(([name, bit]) => (flags & bit ? name : `not ${name}`))
    .join(" ");

const manyOf = (noun: string): string =>
  noun === "address" ? "addresses" : noun === "VLANs" || noun.startsWith("elements") ? noun : `${noun}s`;
