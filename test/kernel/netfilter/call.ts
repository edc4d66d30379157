/**
 * One call of the masquerade functions as a process of its own, for calls at the same time:
 *
 *   bun call.ts add BACKEND CONTAINER INTERFACE ADDRESS...
 *   bun call.ts del CONTAINER INTERFACE
 */

import type { Backend } from "../../../src/netfilter/iptables/host.ts";
import { masquerade } from "./modules.ts";
import { prefixes } from "./prefixes.ts";

const [command, ...words] = process.argv.slice(2);
const backend = command === "add" ? (words.shift() as Backend) : undefined;
const [containerId = "", ifname = "", ...addresses] = words;
const attachment = { network: "net1", containerId, ifname };
if (command === "add") await masquerade.setUp(backend, attachment, prefixes(...addresses));
else await masquerade.tearDown(attachment);
