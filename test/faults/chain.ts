/** The same storm on networks of nerdctl's chain: bridge, portmap, firewall and tuning, with each backend. */
import { stormOf } from "./storm/part.ts";

export default stormOf("chain", "the same flood on networks with published ports, a firewall and tuning");
