/** Hardware addresses for links that nobody gave one. */
import { localMac, type Mac } from "../../net/mac.ts";
import { randomBytes } from "../../sys/random.ts";

/** A random locally administered unicast address. */
export const randomMac = (): Mac => localMac(randomBytes(6));
