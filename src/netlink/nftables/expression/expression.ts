/** The expressions of a rule: a list of { name, attributes } (NFTA_LIST_ELEM, NFTA_EXPR_*), worked through in order. */
import { Attributes, attributeType, putBytes, putNested, putString } from "../../attribute.ts";
import type { ByteWriter } from "../../bytes.ts";
import { DecodeError } from "../../error.ts";
import { required } from "../header.ts";
import { type Bitwise, bitwise } from "./bitwise.ts";
import type { ExpressionCodec } from "./codec.ts";
import { type Compare, compare } from "./compare.ts";
import { type Counter, counter } from "./counter.ts";
import { type Match, match, type Target, target } from "./extension.ts";
import { type Immediate, immediate } from "./immediate.ts";
import { type Lookup, lookup } from "./lookup.ts";
import { type Masquerade, masquerade } from "./masquerade.ts";
import { type Meta, meta } from "./meta.ts";
import { type Payload, payload } from "./payload.ts";

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;

/** The expressions that this program writes. */
export type KnownExpression =
  | Bitwise
  | Compare
  | Counter
  | Immediate
  | Lookup
  | Masquerade
  | Match
  | Meta
  | Payload
  | Target;

/** An expression of another kind, or of a known kind in a form that its decoder does not take. Survives decoding. */
export interface UnknownExpression {
  readonly name: "unknown";
  readonly kind: string;
  /** Attributes as they came; undefined where there were none. */
  readonly data: Uint8Array | undefined;
}

export type Expression = KnownExpression | UnknownExpression;

const CODECS: { readonly [E in KnownExpression as E["name"]]: ExpressionCodec<E> } = {
  bitwise,
  cmp: compare,
  counter,
  immediate,
  lookup,
  masq: masquerade,
  match,
  meta,
  payload,
  target,
};

/** The union's members are told apart by `name`, which the compiler does not follow through the table. */
const codecOf = (name: string): ExpressionCodec<KnownExpression> | undefined =>
  Object.hasOwn(CODECS, name)
    ? (CODECS[name as KnownExpression["name"]] as ExpressionCodec<KnownExpression>)
    : undefined;

export function putExpressions(writer: ByteWriter, type: number, expressions: readonly Expression[]): void {
  putNested(writer, type, (list) => {
    for (const expression of expressions) {
      putNested(list, NFTA_LIST_ELEM, (item) => {
        if (expression.name === "unknown") {
          putString(item, NFTA_EXPR_NAME, expression.kind);
          putBytes(item, NFTA_EXPR_DATA, expression.data);
        } else {
          putString(item, NFTA_EXPR_NAME, expression.name);
          putNested(item, NFTA_EXPR_DATA, (body) => codecOf(expression.name)?.put(body, expression));
        }
      });
    }
  });
}

/** @throws DecodeError */
export function readExpressions(attributes: Attributes, type: number): Expression[] {
  const list = attributes.nested(type)?.list() ?? [];
  return list
    .filter((item) => attributeType(item) === NFTA_LIST_ELEM)
    .map((item) => readExpression(new Attributes(item.payload)));
}

function readExpression(item: Attributes): Expression {
  const kind = required(item.string(NFTA_EXPR_NAME), "expression name");
  const data = item.bytes(NFTA_EXPR_DATA);
  const codec = codecOf(kind);
  if (codec === undefined) return { name: "unknown", kind, data };
  const attributes = new Attributes(data ?? new Uint8Array());
  try {
    const expression = codec.read(attributes);
    return attributes.unread().length === 0 ? expression : { name: "unknown", kind, data };
  } catch (error) {
    if (error instanceof DecodeError) return { name: "unknown", kind, data };
    throw error;
  }
}
