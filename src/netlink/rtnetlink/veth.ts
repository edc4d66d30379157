/** What is particular to a veth pair (VETH_INFO_PEER of uapi linux/veth.h), carried in `Link.data`. */
import { Attributes, encodeAttributes, putNested } from "../attribute.ts";
import { decodeLink, type Link, putLink } from "./link.ts";

const VETH_INFO_PEER = 1;

/** The other end; with `netnsFd` it is created in that namespace and never seen in this one. */
export const encodeVethPeer = (peer: Link): Uint8Array =>
  encodeAttributes((writer) => putNested(writer, VETH_INFO_PEER, (body) => putLink(body, peer)));

/** @throws DecodeError */
export function decodeVethPeer(data: Uint8Array): Link | undefined {
  const peer = new Attributes(data).bytes(VETH_INFO_PEER);
  return peer === undefined ? undefined : decodeLink(peer);
}
