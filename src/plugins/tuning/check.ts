/** CHECK: everything that is configured is still set (rules T15, T35, T37). One error names all that is not. */
import { requirePrevResult } from "../../cni/config.ts";
import { CniError, code } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import { readKeys } from "../../cni/keys.ts";
import type { Request } from "../../cni/plugin.ts";
import { connectInside, openNetns, runInside } from "../../links/namespaces.ts";
import { formatMac } from "../../net/mac.ts";
import { failedWith, messageOf, SystemError } from "../../sys/errno.ts";
import { readText } from "../../sys/file.ts";
import { parseTuning } from "./config.ts";
import { BRIDGE_MAC_KEYS } from "./keys.ts";
import { type FoundLink, findSettings, type LinkState, SETTINGS, type Setting } from "./link-state.ts";
import { type Sysctl, sameValue } from "./sysctls.ts";

export async function check(request: Request): Promise<void> {
  const { sysctls, link } = await parseTuning(request);
  requirePrevResult(request.config);
  const { ifname, log } = request;
  using netns = openNetns(request.netns);
  const failures = new Failures();
  const report = (problem: string): void => failures.add(new CniError(code.internal, problem));
  runInside(netns, () => {
    for (const sysctl of sysctls) verifySysctl(sysctl, report, log);
  });
  const conflict = macConflict(request, link);
  if (conflict !== undefined) log(`tuning: ${conflict}`);
  using container = connectInside(netns);
  const found = findSettings(container, ifname);
  if (found === undefined) report(`Cannot find container link ${ifname} in ${netns.path}`);
  else for (const setting of SETTINGS) verifySetting(setting, link, found, report, conflict);
  failures.throwIfAny();
}

function verifySysctl(
  { key, path, value }: Sysctl,
  report: (problem: string) => void,
  log: Request["log"],
): void {
  let current: string;
  try {
    current = readText(path).trimEnd();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (failedWith(error, "ENOENT"))
      report(`Tuning configured value of ${path} is ${value}, but it does not exist`);
    // An action such as net.ipv4.route.flush has no value.
    else log(`tuning: sysctl ${JSON.stringify(key)} cannot be verified: ${messageOf(error)}`);
    return;
  }
  if (!sameValue(current, value))
    report(`Tuning configured value of ${path} is ${value}, current value is ${current}`);
}

/** The words of the reference for a setting of a link. */
const WORDS: Readonly<Record<Setting, (link: string) => string>> = {
  mac: (link) => `Tuning configured Ethernet of ${link} is`,
  promisc: (link) => `Tuning link ${link} configured promisc is`,
  mtu: (link) => `Tuning configured MTU of ${link} is`,
  allmulti: (link) => `Tuning configured all-multicast mode of ${link} is`,
  txQLen: (link) => `Tuning configured Transmit Queue Length of ${link} is`,
};

function verifySetting(
  setting: Setting,
  link: LinkState,
  { name, state, isPromiscuous }: FoundLink,
  report: (problem: string) => void,
  conflict: string | undefined,
): void {
  const wanted = link[setting];
  const current = setting === "promisc" ? isPromiscuous : state[setting];
  if (wanted === undefined || wanted === current) return;
  const more = setting === "mac" && conflict !== undefined ? `: ${conflict}` : "";
  report(`${WORDS[setting](name)} ${wanted}, current value is ${current}${more}`);
}

/** Why bridge sets another MAC address than this plugin; undefined if it does not. */
function macConflict(request: Request, { mac }: LinkState): string | undefined {
  const { mac: ofBridge } = readKeys(BRIDGE_MAC_KEYS, request);
  if (mac === undefined || ofBridge === undefined || formatMac(ofBridge) === mac) return undefined;
  return `args.cni.mac asks for ${mac}, and runtimeConfig.mac for ${formatMac(ofBridge)}, which bridge sets first; send one of them`;
}
