/**
 * Messages for people to read: types, flags and attributes by name, payloads in hexadecimal. For looking at what goes
 * over a connection; load it only then.
 */
import { describeErrno } from "../sys/errno.ts";
import { Attributes, attributeType, type RawAttribute } from "./attribute.ts";
import type { Transport } from "./connection.ts";
import {
  BRIDGE_LINK,
  COMMON_FLAGS,
  CONTROL,
  FLAGS_BY_KIND,
  INFO_DATA,
  type Layout,
  type NetlinkFamily,
  NFTABLES_MESSAGES,
  ROUTE_OBJECTS,
} from "./debug-names.ts";
import { DecodeError } from "./error.ts";
import { control, decodeMessages, decodeVerdict, HEADER_LENGTH, type Message } from "./message.ts";

const NLA_F_NESTED = 0x8000;
const AF_BRIDGE = 7;
const IFLA_INFO_KIND = 1;
const NFNL_SUBSYS_NFTABLES = 10;

/** A transport that tells `log` each datagram that passes, with ">" on its way to the kernel and "<" from it. */
export function traced(
  transport: Transport,
  log: (text: string) => void,
  family: NetlinkFamily = "route",
): Transport {
  return {
    send(datagram) {
      log(formatDatagram(datagram, family, ">"));
      transport.send(datagram);
    },
    receive() {
      const datagram = transport.receive();
      log(formatDatagram(datagram, family, "<"));
      return datagram;
    },
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

/** All messages of a datagram, each line with `mark` before it. Bytes that are no messages are shown as such. */
export function formatDatagram(datagram: Uint8Array, family: NetlinkFamily, mark: string): string {
  if (datagram.length === 0) return `${mark} an empty datagram`;
  let lines: string[];
  try {
    lines = decodeMessages(datagram).flatMap((message) => formatMessage(message, family).split("\n"));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    lines = [`${datagram.toHex()} (${error.message})`];
  }
  return lines.map((line) => `${mark} ${line}`).join("\n");
}

/** One message, an attribute a line, without a final line feed. */
export function formatMessage(message: Message, family: NetlinkFamily): string {
  const { name, kind, layout } = describe(message, family);
  const length = HEADER_LENGTH + message.payload.length;
  const flags = flagNames(message.flags, FLAGS_BY_KIND[kind]);
  const lines = [`${name} ${flags}, sequence ${message.sequence}, port ${message.port}, ${length} bytes`];
  lines.push(...(message.type < HEADER_LENGTH ? verdict(message) : body(message.payload, layout, "  ")));
  return lines.join("\n");
}

interface Description {
  readonly name: string;
  readonly kind: keyof typeof FLAGS_BY_KIND;
  readonly layout: Layout;
}

/** Types below 16 belong to netlink itself, in every family. */
function describe(message: Message, family: NetlinkFamily): Description {
  const { type } = message;
  if (type < 16)
    return { name: CONTROL[type] ?? `type ${type}`, kind: "control", layout: { header: 0, names: {} } };
  return family === "route" ? routeMessage(message) : netfilterMessage(type);
}

const ROUTE_VERBS = [
  ["NEW", "new"],
  ["DEL", "delete"],
  ["GET", "get"],
  ["SET", "new"],
] as const;

function routeMessage({ type, payload }: Message): Description {
  const [verb, kind] = ROUTE_VERBS[type & 3] ?? ROUTE_VERBS[0];
  const [object, layout] = ROUTE_OBJECTS[(type - 16) >> 2] ?? [undefined, { header: 0, names: {} }];
  if (object === undefined)
    return { name: `type ${type}`, kind, layout: { header: payload.length, names: {} } };
  const ofBridge = object === "LINK" && payload[0] === AF_BRIDGE;
  return { name: `RTM_${verb}${object}`, kind, layout: ofBridge ? BRIDGE_LINK : layout };
}

/** Types of nfnetlink: subsystem in the high byte; all have struct nfgenmsg of four bytes. */
function netfilterMessage(type: number): Description {
  const layout = { header: 4, names: {} };
  if (type === 16 || type === 17)
    return { name: `NFNL_MSG_BATCH_${type === 16 ? "BEGIN" : "END"}`, kind: "new", layout };
  const name = type >> 8 === NFNL_SUBSYS_NFTABLES ? NFTABLES_MESSAGES[type & 0xff] : undefined;
  if (name === undefined) return { name: `type ${type}`, kind: "new", layout };
  const kind = name.startsWith("GET") ? "get" : name.startsWith("DEL") ? "delete" : "new";
  return { name: `NFT_MSG_${name}`, kind, layout };
}

function flagNames(flags: number, byKind: readonly string[]): string {
  const names: string[] = [];
  for (let bit = 0; bit < 16; bit++) {
    if ((flags & (1 << bit)) === 0) continue;
    const name = bit < 8 ? COMMON_FLAGS[bit] : byKind[bit - 8];
    names.push(name ?? `0x${(1 << bit).toString(16)}`);
  }
  return names.length === 0 ? "no flags" : names.join("|");
}

/** What an acknowledgement, an error or the end of a dump says. */
function verdict(message: Message): string[] {
  if (message.type !== control.error && message.type !== control.done) return [];
  try {
    const { errno, ack } = decodeVerdict(message);
    const { text, offset, missing } = ack;
    return [
      `  ${errno === 0 ? "success" : describeErrno(errno).name}`,
      ...(text === undefined ? [] : [`  text ${JSON.stringify(text)}`]),
      ...(offset === undefined ? [] : [`  offset ${offset}`]),
      ...(missing === undefined ? [] : [`  missing attribute ${missing}`]),
    ];
  } catch (error) {
    return undecodable(message.payload, "  ", error);
  }
}

/** A fixed header in hexadecimal and the attributes after it. */
function body(bytes: Uint8Array, layout: Layout, indent: string): string[] {
  const header = bytes.subarray(0, layout.header);
  const lines = header.length === 0 ? [] : [`${indent}${header.toHex()}`];
  try {
    const all = new Attributes(bytes.subarray(layout.header)).list();
    for (const attribute of all) lines.push(...formatAttribute(attribute, layout, all, indent));
    return lines;
  } catch (error) {
    return [...lines, ...undecodable(bytes.subarray(layout.header), indent, error)];
  }
}

function formatAttribute(
  attribute: RawAttribute,
  layout: Layout,
  siblings: readonly RawAttribute[],
  indent: string,
): string[] {
  const type = attributeType(attribute);
  const known = layout.names[type] ?? `attribute ${type}`;
  const [name, inside] = typeof known === "string" ? [known, undefined] : known;
  const nested = inside === "by kind" ? INFO_DATA[kindOf(siblings)] : inside;
  if (nested !== undefined || (attribute.type & NLA_F_NESTED) !== 0) {
    return [
      `${indent}${name}`,
      ...body(attribute.payload, nested ?? { header: 0, names: {} }, `${indent}  `),
    ];
  }
  return [`${indent}${name} ${attribute.payload.toHex()}${asText(attribute.payload)}`];
}

const kindOf = (siblings: readonly RawAttribute[]): string => {
  const payload = siblings.find((attribute) => attributeType(attribute) === IFLA_INFO_KIND)?.payload;
  return payload === undefined ? "" : new TextDecoder().decode(payload).replace(/\0.*/s, "");
};

/** What looks like a string with its final NUL, in quotes as well. */
function asText(payload: Uint8Array): string {
  const text = new TextDecoder().decode(payload);
  return /^[\x20-\x7e]{2,}\0$/.test(text) ? ` ${JSON.stringify(text.slice(0, -1))}` : "";
}

function undecodable(bytes: Uint8Array, indent: string, error: unknown): string[] {
  if (!(error instanceof DecodeError)) throw error;
  return [`${indent}${bytes.toHex()} (${error.message})`];
}
