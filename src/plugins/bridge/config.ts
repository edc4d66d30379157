/** Reads the bridge plugin's keys and refuses combinations that cannot work (rules B1–B9). */
import { refuseItself } from "../../cni/delegate.ts";
import { CniError, code } from "../../cni/error.ts";
import { readKeys } from "../../cni/keys.ts";
import type { Request } from "../../cni/plugin.ts";
import { linkNameProblem } from "../../links/link-name.ts";
import type { Trunk } from "../../links/vlan.ts";
import type { Document, Parsed } from "../../schema/keys.ts";
import { parse } from "../../schema/parse.ts";
import { IPAM_KEYS, KEYS, NAME_KEYS } from "./keys.ts";
import { parseTrunk } from "./trunk.ts";

/** The values of the keys. */
export interface BridgeConfig extends Readonly<Parsed<typeof KEYS>> {
  /** Tagged VLANs; undefined when the key is absent. */
  readonly trunk?: Trunk;
}

const invalid = (message: string): CniError => new CniError(code.invalidConfig, message);

/** @throws KeyError, CniError code 4 or 7 */
export function parseBridgeConfig(request: Request): BridgeConfig {
  const keys: Parsed<typeof KEYS> & { trunk?: Trunk } = readKeys(KEYS, request);
  const { bridge, mtu, vlan, vlanTrunk, dns, ipam } = keys;
  requireLinkName(bridge);
  if (mtu === 0) delete keys.mtu;
  if (vlanTrunk !== undefined) keys.trunk = parseTrunk(vlanTrunk);
  if (dns !== undefined && Object.keys(dns).length === 0) delete keys.dns;
  keys.isGateway ||= keys.isDefaultGateway;
  if (keys.hairpinMode && keys.promiscMode) {
    throw invalid(
      "cannot set hairpin mode and promiscuous mode at the same time: remove hairpinMode or promiscMode",
    );
  }
  if (ipam === undefined) return keys;
  refuseItself("bridge", ipam);
  refuseItself(request.delegation.calledAs, ipam);
  if (keys.disableContainerInterface) {
    throw invalid(
      "cannot use IPAM when DisableContainerInterface flag is set: remove ipam or disableContainerInterface",
    );
  }
  if (keys.isGateway && vlan !== 0) {
    const gateway = `${bridge}.${vlan}`;
    const problem = linkNameProblem(gateway);
    if (problem !== undefined) {
      throw invalid(
        `the VLAN's gateway interface would be called ${JSON.stringify(gateway)}: ${problem}; shorten the bridge's name`,
      );
    }
  }
  return keys;
}

/** ipam.type, the only key of `ipam` that DEL and GC need. */
export function ipamType(document: Document): string | undefined {
  const { ipam } = parse(IPAM_KEYS, document, "", { document, variables: undefined });
  if (ipam !== undefined) refuseItself("bridge", ipam);
  return ipam;
}

/** The bridge's name (rule B1). @throws CniError if it is not valid as an interface name */
export function bridgeName(document: Document): string {
  const { bridge } = parse(NAME_KEYS, document);
  requireLinkName(bridge);
  return bridge;
}

function requireLinkName(bridge: string): void {
  const problem = linkNameProblem(bridge);
  if (problem === undefined) return;
  throw invalid(`bridge ${JSON.stringify(bridge)} is not a valid interface name: ${problem}`);
}
