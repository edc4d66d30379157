/**
 * Messages as trees of attributes, sorted by type, so that two encodings of one meaning are equal. The tables repeat those
 * of the codecs on purpose: they verify the codecs.
 */
import type { Message } from "../../../src/netlink/message.ts";
import { attributesIn, attributeType } from "../attributes.ts";

/** Attributes as "type value", nested ones as trees, after the fixed header. */
export interface Tree {
  readonly header: string;
  readonly attributes: readonly (readonly [type: number, value: string | Tree])[];
}

/** The content of an attribute type: attributes after so many bytes, or a string whose final NUL is optional. */
type Inside = { readonly header: number; readonly inside: Schema } | "string";
type Schema = Readonly<Record<number, Inside>>;

const flat = { header: 0, inside: {} } as const;
const LINK: Schema = {
  12: flat,
  18: { header: 0, inside: { 1: "string", 2: flat, 4: "string", 5: flat } },
  20: "string",
  26: flat,
};
/** As LINK, with VETH_INFO_PEER in IFLA_INFO_DATA. */
const VETH: Schema = {
  ...LINK,
  18: {
    header: 0,
    inside: { 1: "string", 2: { header: 0, inside: { 1: { header: 16, inside: LINK } } } },
  },
};

const OBJECTS = [
  { name: "link", header: 16, schema: LINK },
  { name: "address", header: 8, schema: {} },
  { name: "route", header: 12, schema: { 8: flat } },
  { name: "neighbour", header: 12, schema: {} },
] as const;

const objectOf = (type: number) => {
  const object = OBJECTS[(type - 16) >> 2];
  if (object === undefined) throw new Error(`no object of rtnetlink: type ${type}`);
  return object;
};

/** Bytes of the fixed header of a message of rtnetlink. */
export const headerLength = (type: number): number => objectOf(type).header;

/** RTM_* without new, delete, get and set. */
export const objectName = (type: number): (typeof OBJECTS)[number]["name"] => objectOf(type).name;

export function treeOf(message: Pick<Message, "type" | "payload">): Tree {
  const { header, schema } = objectOf(message.type);
  // The data of a veth contains a message, that of a bridge only numbers.
  return tree(message.payload, header, isVethRequest(message) ? VETH : schema);
}

/** Attributes alone, none of them nested. */
export const treeOfAttributes = (bytes: Uint8Array): Tree => tree(bytes, 0, {});

/** RTM_NEWLINK that requests a veth. Replies have no IFLA_INFO_DATA. */
function isVethRequest({ type, payload }: Pick<Message, "type" | "payload">): boolean {
  if (type !== 16) return false;
  const info = attributesIn(payload.subarray(16)).find((attribute) => attributeType(attribute) === 18);
  const inside = attributesIn(info?.payload ?? new Uint8Array());
  const of = (type: number) => inside.find((attribute) => attributeType(attribute) === type)?.payload;
  return new TextDecoder().decode(of(1)).replace(/\0.*/s, "") === "veth" && of(2) !== undefined;
}

function tree(bytes: Uint8Array, header: number, schema: Schema): Tree {
  const attributes = attributesIn(bytes.subarray(header)).map((attribute) => {
    const type = attributeType(attribute);
    const inside = schema[type];
    const { payload } = attribute;
    if (inside === undefined) return [type, payload.toHex()] as const;
    if (inside === "string") return [type, new TextDecoder().decode(payload).replace(/\0$/, "")] as const;
    return [type, tree(payload, inside.header, inside.inside)] as const;
  });
  return { header: bytes.subarray(0, header).toHex(), attributes: attributes.sort(([a], [b]) => a - b) };
}
