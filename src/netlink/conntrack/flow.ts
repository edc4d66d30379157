/**
 * Schema and requests of tracked connections, called flows: CTA_* of uapi linux/netfilter/nfnetlink_conntrack.h. The
 * header is struct nfgenmsg { u8 family; u8 version; be16 res_id; }.
 */
import { type Family, formatIp, type IpAddress } from "../../net/ip.ts";
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { addressFamily, IP } from "../ip-attribute.ts";
import type { Message } from "../message.ts";
import { BE16, BE32, CUSTOM, type Fields, INLINE, NEST, nest, schema, U8, U32 } from "../schema.ts";

/** NFNL_SUBSYS_CTNETLINK in the high byte; IPCTNL_MSG_CT_GET and IPCTNL_MSG_CT_DELETE. */
const SUBSYSTEM = 1 << 8;
export const GET_FLOW = SUBSYSTEM | 1;
export const DELETE_FLOW = SUBSYSTEM | 2;

/** One direction of a flow. */
const TUPLE = nest([
  [
    1,
    "",
    INLINE,
    nest([
      [1, "source4", CUSTOM, IP],
      [2, "destination4", CUSTOM, IP],
      [3, "source6", CUSTOM, IP],
      [4, "destination6", CUSTOM, IP],
    ]),
  ],
  [
    2,
    "",
    INLINE,
    nest([
      [1, "protocol", U8],
      [2, "sourcePort", BE16],
      [3, "destinationPort", BE16],
    ]),
  ],
]);

export const FLOW = schema(
  4,
  [
    [0, "family", U8],
    [1, "version", U8],
  ],
  [
    [1, "original", NEST, TUPLE],
    [2, "reply", NEST, TUPLE],
    // Tells a flow from a later one with the same tuples.
    [12, "id", BE32],
    [18, "zone", BE16],
    // CTA_FILTER: bits of the fields of each direction that a flow must have.
    [
      25,
      "",
      INLINE,
      nest([
        [1, "originalFields", U32],
        [2, "replyFields", U32],
      ]),
    ],
  ],
);

/** A flow as the kernel reports it. */
export type Flow = Fields<typeof FLOW>;

/** Bits of CTA_FILTER_*_FLAGS (CTA_FILTER_F_* of the kernel's nf_internals.h). */
const FIELD = { source: 1, destination: 2, protocol: 8, sourcePort: 16, destinationPort: 32 } as const;

/** What flows must have: fields of the direction in which they began, or of the answers. */
export interface FlowFilter {
  readonly family: Family;
  readonly direction: "original" | "reply";
  /** IPPROTO_* of uapi linux/in.h. */
  readonly protocol: number;
  readonly source?: IpAddress | undefined;
  readonly destination?: IpAddress | undefined;
  readonly sourcePort?: number | undefined;
  readonly destinationPort?: number | undefined;
}

/** For errors: `delete flows of protocol 17 to 10.1.2.1 port 53`. */
function describe({
  protocol,
  source,
  destination,
  sourcePort,
  destinationPort,
  direction,
}: FlowFilter): string {
  const side = (word: string, address?: IpAddress, port?: number): string =>
    address === undefined && port === undefined
      ? ""
      : ` ${word}${address === undefined ? "" : ` ${formatIp(address)}`}${port === undefined ? "" : ` port ${port}`}`;
  const what = `protocol ${protocol}${side("from", source, sourcePort)}${side("to", destination, destinationPort)}`;
  return direction === "reply" ? `whose answers have ${what}` : `of ${what}`;
}

/** The attributes of a filter. Version 1 limits the request to the family. */
function filterOf(filter: FlowFilter): Uint8Array {
  const { family, direction, protocol, source, destination, sourcePort, destinationPort } = filter;
  const fields =
    FIELD.protocol |
    (source === undefined ? 0 : FIELD.source) |
    (destination === undefined ? 0 : FIELD.destination) |
    (sourcePort === undefined ? 0 : FIELD.sourcePort) |
    (destinationPort === undefined ? 0 : FIELD.destinationPort);
  const tuple = { source4: source, destination4: destination, protocol, sourcePort, destinationPort };
  return encode(FLOW, {
    family: addressFamily[family],
    version: 1,
    [direction]: tuple,
    originalFields: direction === "original" ? fields : 0,
    replyFields: direction === "reply" ? fields : 0,
  });
}

/**
 * Deletes all flows that a filter selects; the kernel searches them. It must be of IPv4 if it has addresses: for IPv6 kernels
 * select the flows with other addresses (seen with 6.18). A kernel without filters for deletions takes the incomplete tuple
 * for the name of one flow, and refuses it with EINVAL.
 */
export const deleteFlows = (filter: FlowFilter): Request => ({
  action: `delete flows ${describe(filter)}`,
  type: DELETE_FLOW,
  flags: 0,
  payload: filterOf(filter),
});

/** Lists the flows that a filter selects, with addresses for IPv4 only. Kernels before 5.8 list all of its family. */
export const dumpFlows = (filter: FlowFilter): Request => ({
  action: `list flows ${describe(filter)}`,
  type: GET_FLOW,
  flags: 0,
  payload: filterOf(filter),
});

/** @throws DecodeError */
export const decodeFlow = ({ payload }: Message): Flow => decode(FLOW, payload);

/** Deletes one flow that a dump has reported; ENOENT when it has ended. */
export const deleteFlow = ({ family, original, id, zone }: Flow): Request => ({
  action: "delete a flow",
  type: DELETE_FLOW,
  flags: 0,
  payload: encode(FLOW, { family, original, id, zone }),
});

/** Whether a filter selects a flow. */
export function selects(filter: FlowFilter, flow: Flow): boolean {
  const tuple = flow[filter.direction];
  if (tuple === undefined) return false;
  const { family, protocol, source, destination, sourcePort, destinationPort } = filter;
  const [from, to] = family === 4 ? [tuple.source4, tuple.destination4] : [tuple.source6, tuple.destination6];
  return (
    tuple.protocol === protocol &&
    (source === undefined || from?.value === source.value) &&
    (destination === undefined || to?.value === destination.value) &&
    (sourcePort === undefined || tuple.sourcePort === sourcePort) &&
    (destinationPort === undefined || tuple.destinationPort === destinationPort)
  );
}
