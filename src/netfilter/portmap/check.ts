/** Checks whether the published ports of an attachment work (M23, M47, M55). */
import { CniError, code } from "../../cni/error.ts";
import type { Backend } from "../iptables/host.ts";
import { openNftables } from "../kernel.ts";
import { hasFirewalld } from "./backend.ts";
import { findLosses, isWhole } from "./losses.ts";
import type { Published } from "./published.ts";

/**
 * @param device the interface that leads to the container's IPv4 address
 * @throws CniError that names what is missing or altered, and what took a port
 */
export async function check(
  backend: Backend | undefined,
  published: Published,
  device: string | undefined,
): Promise<void> {
  const found = await findLosses(backend, published, device);
  if (isWhole(found)) return;
  using netfilter = openNftables();
  const words = [...found.missing, ...found.taken.map((each) => each.words)];
  const { network, containerId, ifname } = published;
  const cause =
    found.backend === "iptables" && netfilter !== undefined && hasFirewalld(netfilter)
      ? "rules gone, firewalld was reloaded, which removes the rules of all programs in the tables of iptables"
      : "Another program flushed or changed them, as a firewall's reload does";
  throw new CniError(
    code.internal,
    `published ports of container ${JSON.stringify(containerId)} interface ${JSON.stringify(ifname)} in network ` +
      `${JSON.stringify(network)} do not work: ${words.join("; ")}. ${cause}; DEL and ADD the attachment`,
  );
}
