/** The attributes of a veth pair (VETH_INFO_PEER of uapi linux/veth.h), which are in `Link.data`. */
import { encode } from "../encode.ts";
import { NEST, nest } from "../schema.ts";
import { LINK, type Link } from "./link.ts";

export const VETH = nest([[1, "peer", NEST, LINK]]);

/** The other end. With `netnsFd` it is created in that namespace and never visible in this one. */
export const encodeVethPeer = (peer: Link): Uint8Array => encode(VETH, { peer });
