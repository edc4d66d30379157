/** Extensions of x_tables inside nf_tables: NFTA_COMPAT_* of uapi linux/netfilter/nf_tables_compat.h. */
import type { Request } from "../connection.ts";
import { BE32, NAME32, STRING, schema } from "../schema.ts";
import { NFGENMSG, request } from "./header.ts";

/** NFNL_SUBSYS_NFT_COMPAT in the high byte; NFNL_MSG_COMPAT_GET is 0. */
const GET = 11 << 8;

const TYPES = { match: 0, target: 1 } as const;

const EXTENSION = schema(4, NFGENMSG, [
  [1, "name", STRING],
  [2, "revision", BE32],
  [3, "type", NAME32, TYPES],
]);

/**
 * Checks that revision 0 of an extension exists; the kernel loads its module if it can. ENOENT when the kernel does not
 * have it, EINVAL when it does not have it for nf_tables.
 */
export const getExtension = (family: "ip" | "ip6", type: keyof typeof TYPES, name: string): Request =>
  request(`find the ${type} ${name} of x_tables`, GET, 0, EXTENSION, { family, name, revision: 0, type });
