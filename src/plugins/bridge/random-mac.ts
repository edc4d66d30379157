/** Hardware addresses for links for which none was asked. */
import { localMac, type Mac } from "../../net/mac.ts";
import { randomBytes } from "../../sys/random.ts";

/** A random locally administered unicast address. */
export const randomMac = (): Mac => localMac(randomBytes(6));
