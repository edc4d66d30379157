/** Looks for addresses among host-local's leases, which tell of the network of rules that do not (M43). */
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { listDirectory } from "../../sys/directory.ts";
import { unlessFailed } from "../../sys/errno.ts";
import { readText } from "../../sys/file.ts";

/** host-local's default. The configuration of portmap does not name another one. */
const DIRECTORY = "/var/lib/cni/networks";

const leaseOf = (network: string, address: IpAddress): string | undefined =>
  unlessFailed(() => readText(`${DIRECTORY}/${network}/${formatIp(address)}`));

/** Whether the address is leased in another network. */
export const isLeasedElsewhere = (network: string, address: IpAddress): boolean =>
  (unlessFailed(() => listDirectory(DIRECTORY)) ?? []).some(
    (other) => other !== network && leaseOf(other, address) !== undefined,
  );

/** Whether the address is leased to this container in this network. */
export const isLeasedTo = (network: string, containerId: string, address: IpAddress): boolean =>
  leaseOf(network, address)?.split(/\r?\n/)[0] === containerId;
