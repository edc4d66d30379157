/** GC: removes published ports of this network's attachments that are not listed (M40). */
import { requireValidAttachments } from "../../cni/config.ts";
import type { Request } from "../../cni/plugin.ts";
import { ownHost } from "../../links/host-lock.ts";
import type { IpAddress } from "../../net/ip.ts";
import { collect } from "../../netfilter/portmap/list.ts";
import { isLeasedTo } from "./leased.ts";

export async function gc(request: Request): Promise<void> {
  const valid = requireValidAttachments(request.config);
  const { network, log } = request;
  // A runtime may send an empty list if it has lost its state. Then the ports of living containers stay (rule A39).
  const gone = valid.isEmpty ? (await import("./surroundings.ts")).goneOf : undefined;
  const isLeased = (id: string, address: IpAddress): boolean => isLeasedTo(network, id, address);
  await collect(network, valid, { isLeased, gone, lock: () => ownHost(log), log });
}
