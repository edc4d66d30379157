/** Explains why an interface cannot have IPv6 addresses (rule K20). For refused addresses and for STATUS. */
import { sysctlIfThere, sysctlName } from "../sys/sysctl.ts";

const REMEDY = 'or take the IPv6 ranges out of the network\'s "ipam"';

/**
 * Why an interface of the calling thread's namespace can't have IPv6 addresses, with the remedy; undefined if it can. For
 * an interface that does not exist yet the setting `default` counts. Without a name only the kernel's IPv6 is looked at.
 */
export function whyNoIpv6(name?: string): string | undefined {
  const setting = (link: string) => ["net", "ipv6", "conf", link, "disable_ipv6"];
  if (sysctlIfThere(...setting("all")) === undefined) {
    return `this kernel has no IPv6: start it without ipv6.disable=1 and with the ipv6 module, ${REMEDY}`;
  }
  if (name === undefined || (sysctlIfThere(...setting(name)) ?? sysctlIfThere(...setting("default"))) !== "1")
    return undefined;
  const off = ["default", name].filter((link) => sysctlIfThere(...setting(link)) === "1");
  const names = off.map((link) => sysctlName(setting(link)));
  return (
    `IPv6 is off for interface ${JSON.stringify(name)}: ${names.join(" and ")} is 1; ` +
    `switch it on with sysctl -w ${names.map((each) => `${each}=0`).join(" ")}, ${REMEDY}`
  );
}
