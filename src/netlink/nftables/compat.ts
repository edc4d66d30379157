/** Extensions of x_tables inside nf_tables: NFTA_COMPAT_* of uapi linux/netfilter/nf_tables_compat.h. */
import { putString, putU32be } from "../attribute.ts";
import type { Request } from "../connection.ts";
import { request } from "./header.ts";

/** NFNL_SUBSYS_NFT_COMPAT in the high byte; NFNL_MSG_COMPAT_GET is 0. */
const GET = 11 << 8;
const NFTA_COMPAT_NAME = 1;
const NFTA_COMPAT_REV = 2;
const NFTA_COMPAT_TYPE = 3;
const TYPES = { match: 0, target: 1 } as const;

/**
 * Asks for revision 0 of an extension, which the kernel loads where it can. ENOENT when it does not have it, EINVAL when
 * it has none for nf_tables.
 */
export const getExtension = (family: "ip" | "ip6", type: keyof typeof TYPES, name: string): Request =>
  request(`find the ${type} ${name} of x_tables`, GET, family, 0, (writer) => {
    putString(writer, NFTA_COMPAT_NAME, name);
    putU32be(writer, NFTA_COMPAT_REV, 0);
    putU32be(writer, NFTA_COMPAT_TYPE, TYPES[type]);
  });
