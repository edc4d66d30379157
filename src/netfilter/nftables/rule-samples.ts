/**
 * Reads rules of which many differ in their ports only, as those of a container with a hundred published ports. One of a shape
 * is decoded; of the others only the ports are read, after all other bytes were compared with it.
 */
import { indexOfBytes, sameBytes } from "#engine";
import { forEachAttribute } from "../../netlink/decode.ts";
import type { Message } from "../../netlink/message.ts";
import type { Expression } from "../../netlink/nftables/expression.ts";
import { decodeRuleBody } from "../../netlink/nftables/rule.ts";
import { PORT_REGISTER } from "./fields.ts";
import { type Read, readRule } from "./read-rule.ts";

/** What a rule does, and whether it ends with a counter or a log. */
export interface Reading extends Read {
  readonly watches: boolean;
}

/** Where a message has two bytes of a port: that of the packet, or of where it is led to. */
interface Place {
  readonly at: number;
  readonly isTo: boolean;
  readonly isLittle: boolean;
}

interface Sample {
  readonly reading: Reading;
  readonly places: readonly Place[];
  /** Where the number of the rule is, and that of the one before it. */
  readonly handles: readonly number[];
  /** Its message with zeros in all these places. */
  readonly blank: Uint8Array;
}

/** The rules of a mapping, one after another, have so many shapes at most. */
const MOST_SAMPLES = 4;

export class RuleSamples {
  private readonly samples: Sample[] = [];

  /** @throws DecodeError */
  read(message: Message): Reading {
    for (const sample of this.samples) {
      const reading = readBy(sample, message.payload);
      if (reading !== undefined) return reading;
    }
    const { family, expressions } = decodeRuleBody(message);
    const last = expressions.at(-1);
    const watches = last?.name === "counter" || (last?.name === "unknown" && last.kind === "log");
    const reading = { ...readRule(expressions, family), watches };
    const { isWhole, rule } = reading;
    // Any text might look like a port.
    const places = isWhole && rule.comment === undefined ? placesIn(message.payload, expressions) : undefined;
    if (places === undefined) return reading;
    const handles = handlesIn(message.payload);
    this.samples.unshift({ reading, places, handles, blank: blanked(message.payload, places, handles) });
    if (this.samples.length > MOST_SAMPLES) this.samples.pop();
    return reading;
  }
}

function readBy({ reading, places, handles, blank }: Sample, bytes: Uint8Array): Reading | undefined {
  if (bytes.length !== blank.length) return undefined;
  let [port, toPort] = [-1, -1];
  for (const { at, isTo, isLittle } of places) {
    const [first, second] = [bytes[at] ?? 0, bytes[at + 1] ?? 0];
    const value = isLittle ? first | (second << 8) : (first << 8) | second;
    // The ends of a range of ports.
    const known = isTo ? toPort : port;
    if (known >= 0 && known !== value) return undefined;
    if (isTo) toPort = value;
    else port = value;
  }
  if (!sameBytes(blanked(bytes, places, handles), blank)) return undefined;
  const { to, ...rule } = reading.rule;
  return { ...reading, rule: { ...rule, port, ...(to && { to: { ...to, port: toPort } }) } };
}

function blanked(bytes: Uint8Array, places: readonly Place[], handles: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  for (const { at } of places) copy.fill(0, at, at + 2);
  for (const at of handles) copy.fill(0, at, at + 8);
  return copy;
}

/** NFTA_RULE_HANDLE and NFTA_RULE_POSITION. */
const HANDLES = [3, 6];

function handlesIn(bytes: Uint8Array): number[] {
  const found: number[] = [];
  forEachAttribute(bytes, 4, bytes.length, (type, at) => {
    if (HANDLES.includes(type)) found.push(at);
  });
  return found;
}

/** Bytes that contain ports, and where in them. */
interface Leaf extends Pick<Place, "isTo" | "isLittle"> {
  readonly bytes: Uint8Array;
  readonly ports: readonly number[];
}

/** The places in a rule's message; undefined if they are not known for certain, or if it has none. */
function placesIn(bytes: Uint8Array, expressions: readonly Expression[]): Place[] | undefined {
  const leaves = expressions.map(leafOf);
  const matches = leaves.filter((leaf) => leaf?.isLittle);
  // Beside a match of iptables, two bytes that are compared are the beginning of an address.
  const ofPort = matches.length > 0 ? matches : leaves.filter((leaf) => leaf?.isTo === false);
  const ofTo = leaves.filter((leaf) => leaf?.isTo);
  if (ofPort.length !== 1 || ofTo.length > 1) return undefined;
  const places: Place[] = [];
  let from = 0;
  for (const leaf of [...ofPort, ...ofTo]) {
    const at = leaf === undefined ? -1 : indexOfBytes(bytes, leaf.bytes, from);
    if (leaf === undefined || at < 0) return undefined;
    from = at + leaf.bytes.length;
    const { isTo, isLittle } = leaf;
    for (const port of leaf.ports) places.push({ at: at + port, isTo, isLittle });
  }
  return places;
}

const PORT_MATCHES = ["tcp", "udp", "sctp"];

/** Ports in struct xt_tcp, xt_udp, xt_sctp, nf_nat_range2, in a comparison, or in a register. */
function leafOf(expression: Expression): Leaf | undefined {
  switch (expression.name) {
    case "match": {
      const { extension, info: bytes } = expression;
      if (!PORT_MATCHES.includes(extension)) return undefined;
      return { bytes, ports: extension === "sctp" ? [0, 2] : [4, 6], isTo: false, isLittle: true };
    }
    case "target": {
      const { extension, revision, info: bytes } = expression;
      if (extension !== "DNAT") return undefined;
      return { bytes, ports: revision === 0 ? [16, 18] : [36, 38], isTo: true, isLittle: false };
    }
    case "cmp":
      return leafWith(expression.value, false);
    case "immediate":
      return expression.register === PORT_REGISTER ? leafWith(expression.data.value, true) : undefined;
  }
  return undefined;
}

/** A port as NFTA_DATA_VALUE. */
const leafWith = (value: Uint8Array | undefined, isTo: boolean): Leaf | undefined =>
  value?.length === 2
    ? { bytes: Uint8Array.of(6, 0, 1, 0, ...value), ports: [4], isTo, isLittle: false }
    : undefined;
