/**
 * The C structures of iptables' matches and targets, which rules of both x_tables and nf_tables contain. They are written
 * in the revision that iptables uses on every kernel from 4.18 on, and read in older ones too.
 */
import { type Family, ipFromBytes, ipToBytes } from "../net/ip.ts";
import { PROTOCOLS, type Protocol, type Rule } from "./rule.ts";

/** A text may begin with U+FEFF, which is not a byte order mark here. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text up to the first NUL. */
export function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A text in a field of that size, followed by at least one NUL. */
export function fixed(text: string, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  new TextEncoder().encodeInto(text, bytes.subarray(0, size - 1));
  return bytes;
}

/** Number of leading ones of a mask; undefined if another one follows a zero. */
export function prefixLength(mask: Uint8Array): number | undefined {
  const text = Array.from(mask, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(text) ? text.lastIndexOf("1") + 1 : undefined;
}

/** A match or a target: its name, its revision, and its structure, padded to eight bytes. */
export interface Extension {
  readonly extension: string;
  readonly revision: number;
  readonly info: Uint8Array;
}

/** The parts of a rule that a match or target of iptables can express. */
type Parts = { -readonly [K in keyof Rule]?: Rule[K] };

/** RTN_LOCAL as a bit: a destination of this host in struct xt_addrtype_info_v1. */
const LOCAL = 1 << 2;
/** XT_MULTIPORT_DESTINATION, and the most ports of struct xt_multiport_v1. */
const OF_DESTINATION = 1;
export const MOST_PORTS = 15;
/** NF_NAT_RANGE_MAP_IPS and NF_NAT_RANGE_PROTO_SPECIFIED. */
const BOTH_GIVEN = 3;
/** Of struct xt_sctp_info: the bytes of the map of chunks after the ports, the entries of flags, and their fields. */
const SCTP = { size: 296, flags: 268, flagsEnd: 280, given: 284, destination: 2 } as const;

/** Offsets in struct xt_conntrack_mtinfo3, which iptables pads to this length; and XT_CONNTRACK_STATE. */
const CONNTRACK = { matched: 146, states: 150, length: 168 } as const;
const STATE = 1;

const words = (size: number, ...at: readonly (readonly [offset: number, bytes: 2 | 4, value: number])[]) => {
  const view = new DataView(new ArrayBuffer(size));
  for (const [offset, bytes, value] of at) {
    if (bytes === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
  }
  return new Uint8Array(view.buffer);
};

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The matches of a rule in the order of iptables, without addresses, interfaces and the protocol. */
export function matchesOf(rule: Rule): Extension[] {
  const { states, comment, protocol, packetMark, ports, port } = rule;
  const list: Extension[] = [];
  const add = (extension: string, revision: number, info: Uint8Array) =>
    list.push({ extension, revision, info });
  if (states !== undefined) add("conntrack", 3, conntrackInfo(states));
  // sizeof(struct xt_comment_info); the text ends with a NUL.
  if (comment !== undefined) add("comment", 0, fixed(comment, 256));
  if (rule.isLocal) add("addrtype", 1, words(8, [2, 2, LOCAL]));
  if (packetMark !== undefined) add("mark", 1, words(16, [0, 4, packetMark], [4, 4, packetMark]));
  if (ports !== undefined) {
    const info = words(48, ...ports.map((each, index) => [2 + 2 * index, 2, each] as const));
    info.set([OF_DESTINATION, ports.length]);
    add("multiport", 1, info);
  }
  if (protocol !== undefined && port !== undefined) add(protocol, 0, portInfo(protocol, port));
  return list;
}

/** struct xt_tcp and xt_udp: source ports (any), destination ports, flags. struct xt_sctp has the destination first. */
function portInfo(protocol: Protocol, port: number): Uint8Array {
  if (protocol !== "sctp") return words(16, [2, 2, 0xffff], [4, 2, port], [6, 2, port]);
  const info = words(SCTP.size, [0, 2, port], [2, 2, port], [SCTP.given, 4, SCTP.destination]);
  // No type of chunk has flags to compare. The entries have three bytes, of which the first is the type.
  for (let at = SCTP.flags; at < SCTP.flagsEnd; at += 3) info[at] = 0xff;
  return info;
}

/** The data of the match `conntrack` for `--ctstate`. */
const conntrackInfo = (states: number): Uint8Array =>
  words(CONNTRACK.length, [CONNTRACK.matched, 2, STATE], [CONNTRACK.states, 2, states]);

/** The target of a rule's verdict; undefined for the verdicts of the tables themselves. */
export function targetOf({ verdict, to, setMark }: Rule, family: Family): Extension | undefined {
  if (verdict === "masquerade") {
    // struct nf_nat_ipv4_multi_range_compat, which begins with a count of ranges, or nf_nat_range, padded to 8 bytes.
    const info = new Uint8Array(family === 4 ? 24 : 40);
    if (family === 4) info[0] = 1;
    return { extension: "MASQUERADE", revision: 0, info };
  }
  if (verdict === "mark" && setMark !== undefined)
    return { extension: "MARK", revision: 2, info: words(8, [0, 4, setMark], [4, 4, setMark]) };
  if (verdict !== "dnat" || to === undefined) return undefined;
  // struct nf_nat_range2: flags, first and last address of 16 bytes, first and last port in network order.
  const info = words(48, [0, 4, BOTH_GIVEN]);
  const address = ipToBytes(to.address);
  info.set(address, 4);
  info.set(address, 20);
  viewOf(info).setUint16(36, to.port);
  viewOf(info).setUint16(38, to.port);
  return { extension: "DNAT", revision: 2, info };
}

/** Adds a match to the parts of a rule; false if they cannot express it. */
export function readMatch({ extension, revision, info }: Extension, parts: Parts): boolean {
  const view = viewOf(info);
  const has = (size: number): boolean => info.length >= size;
  switch (extension) {
    case "comment": {
      const isFirst = parts.comment === undefined;
      parts.comment = cString(info);
      return isFirst;
    }
    case "addrtype":
      if (revision !== 1 || !has(8) || view.getUint16(2, true) !== LOCAL) return false;
      parts.isLocal = true;
      return view.getUint16(0, true) === 0 && view.getUint32(4, true) === 0;
    case "mark":
      if (revision !== 1 || !has(9)) return false;
      parts.packetMark = view.getUint32(0, true);
      return parts.packetMark === view.getUint32(4, true) && info[8] === 0;
    case "conntrack": {
      if (revision !== 3 || !has(CONNTRACK.states + 2)) return false;
      const isFirst = parts.states === undefined;
      const states = view.getUint16(CONNTRACK.states, true);
      const plain = conntrackInfo(states);
      // The kernel may return the structure without its padding.
      if (states === 0 || !info.every((byte, index) => byte === (plain[index] ?? 0))) return false;
      parts.states = states;
      return isFirst;
    }
    case "multiport": {
      const [flags = 0, count = 0] = info;
      if (revision !== 1 || !has(48) || flags !== OF_DESTINATION || count > MOST_PORTS) return false;
      parts.ports = Array.from({ length: count }, (_, index) => view.getUint16(2 + 2 * index, true));
      // A range of ports, or an inversion.
      return info.subarray(32, 48).every((byte) => byte === 0);
    }
    case "tcp":
    case "udp":
    case "sctp": {
      const isSctp = extension === "sctp";
      if (!has(isSctp ? 292 : 10) || (parts.protocol ?? extension) !== extension) return false;
      const port = view.getUint16(isSctp ? 0 : 4, true);
      parts.port = port;
      const wanted = portInfo(extension, port);
      return info.every((byte, index) => byte === (wanted[index] ?? 0));
    }
    default:
      return false;
  }
}

/** Adds a target to the parts of a rule; false if they cannot express it. */
export function readTarget({ extension, revision, info }: Extension, parts: Parts, family: Family): boolean {
  const view = viewOf(info);
  switch (extension) {
    case "MASQUERADE":
      parts.verdict = "masquerade";
      // No options, such as a range of ports or random ports.
      return info.every((byte, index) => byte === (family === 4 && index === 0 ? 1 : 0));
    case "MARK":
      if (revision !== 2 || info.length < 8) return false;
      parts.verdict = "mark";
      parts.setMark = view.getUint32(0, true);
      return parts.setMark === view.getUint32(4, true);
    case "DNAT": {
      // Revision 0 is struct nf_nat_ipv4_multi_range_compat, revision 1 nf_nat_range.
      const at =
        revision === 0
          ? { flags: 4, first: 8, last: 12, port: 16 }
          : { flags: 0, first: 4, last: 20, port: 36 };
      if (info.length < at.port + 4 || (revision === 0 && family === 6)) return false;
      const length = family === 4 ? 4 : 16;
      const address = ipFromBytes(info.subarray(at.first, at.first + length));
      if (address === undefined) return false;
      parts.verdict = "dnat";
      parts.to = { address, port: view.getUint16(at.port) };
      const isOne = info
        .subarray(at.first, at.first + length)
        .every((byte, index) => byte === info[at.last + index]);
      return (
        view.getUint32(at.flags, true) === BOTH_GIVEN &&
        isOne &&
        view.getUint16(at.port + 2) === parts.to.port
      );
    }
    default:
      return false;
  }
}

/** The protocol of that number; undefined for one without ports that this program knows. */
export function protocolOf(number: number | undefined): Protocol | undefined {
  for (const name of ["tcp", "udp", "sctp"] as const) if (PROTOCOLS[name] === number) return name;
  return undefined;
}
