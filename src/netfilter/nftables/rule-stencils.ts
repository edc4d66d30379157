/** Makes the requests that add many rules of few shapes, such as those of a hundred published ports. */
import { sameIp } from "../../net/ip.ts";
import type { Request } from "../../netlink/connection.ts";
import { type Stencil, stencil } from "../../netlink/nftables/stencil.ts";
import type { UserDatum } from "../../netlink/nftables/userdata.ts";
import type { AddressMatch, Rule } from "../rule.ts";

/** The request that adds a rule. Of rules with the same shape it differs in nothing but the bytes of their ports. */
export type Encode = (rule: Rule) => Request;

/** What a request depends on beside the rule. The user data are compared by identity. */
interface Place {
  readonly action: string;
  readonly chain: string;
  readonly userData?: readonly UserDatum[] | undefined;
}

const isSamePlace = (a: Place, b: Place): boolean =>
  a.action === b.action && a.chain === b.chain && a.userData === b.userData;

/** Rules that differ in their ports only, and that go to the same place. */
interface Shape {
  readonly rule: Rule;
  readonly place: Place;
  readonly request: Request;
  readonly stencil: Stencil;
}

/** A stencil costs as much as two rules, and fewer are usually of different shapes. */
const WORTH_IT = 3;
/** So many shapes are remembered: more are those of mappings with an address of the host each. */
const MOST_SHAPES = 12;

export class RuleStencils {
  private readonly shapes: Shape[] = [];
  private readonly isWorthIt: boolean;

  /** @param count how many rules of a shape there may be */
  constructor(count: number) {
    this.isWorthIt = count >= WORTH_IT;
  }

  /** The request for a rule, by `encode` or by a copy of an earlier one of its shape. */
  request(rule: Rule, place: Place, encode: Encode): Request {
    const { port, to } = rule;
    const ports = rule.ports ?? (port === undefined ? undefined : [port, to === undefined ? 0 : to.port]);
    if (!this.isWorthIt || ports === undefined || !isPlain(rule)) return encode(rule);
    const { shapes } = this;
    let shape: Shape | undefined;
    for (let index = 0; index < shapes.length && shape === undefined; index++) {
      const each = shapes[index] as Shape;
      if (isSamePlace(each.place, place) && isSameShape(each.rule, rule)) shape = each;
    }
    if (shape === undefined) {
      shape = shapeOf(rule, place, ports.length, encode);
      shapes.push(shape);
      if (shapes.length > MOST_SHAPES) shapes.shift();
    }
    const { type, flags, action } = shape.request;
    return { type, flags, action, payload: shape.stencil(ports) };
  }
}

function shapeOf(rule: Rule, place: Place, count: number, encode: Encode): Shape {
  let request: Request | undefined;
  const made = stencil((ports) => {
    const [port = 0, toPort = 0] = ports;
    const to = rule.to && { ...rule.to, port: toPort };
    request = encode(rule.ports === undefined ? { ...rule, port, ...(to && { to }) } : { ...rule, ports });
    return request.payload;
  }, count);
  return { rule, place, request: request ?? encode(rule), stencil: made };
}

/** The fields that isSameShape does not compare. */
const OTHER_FIELDS = Object.keys({
  ...{ sourceSet: 0, input: 0, output: 0, states: 0, mac: 0, isLocal: 0, packetMark: 0, setMark: 0 },
} satisfies Record<
  Exclude<
    keyof Rule,
    "port" | "ports" | "to" | "verdict" | "target" | "protocol" | "source" | "destination" | "comment"
  >,
  0
>) as (keyof Rule)[];

function isPlain(rule: Rule): boolean {
  for (let index = 0; index < OTHER_FIELDS.length; index++)
    if (rule[OTHER_FIELDS[index] as keyof Rule] !== undefined) return false;
  return true;
}

/** Whether two rules, which have no other fields, differ in nothing but their ports. */
const isSameShape = (a: Rule, b: Rule): boolean =>
  a.verdict === b.verdict &&
  a.target === b.target &&
  a.protocol === b.protocol &&
  a.comment === b.comment &&
  (a.port === undefined) === (b.port === undefined) &&
  a.ports?.length === b.ports?.length &&
  isSameMatch(a.source, b.source) &&
  isSameMatch(a.destination, b.destination) &&
  (a.to === b.to || (a.to !== undefined && b.to !== undefined && sameIp(a.to.address, b.to.address)));

const isSameMatch = (a: AddressMatch | undefined, b: AddressMatch | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.inverted === b.inverted &&
    a.prefix.length === b.prefix.length &&
    sameIp(a.prefix.address, b.prefix.address));
