/** What an attachment publishes: ports of the host that lead to ports of the container. */
import type { Attachment } from "../../cni/attachment.ts";
import { type Family, formatIp, type IpAddress } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import { type AddressMatch, exactly, type Protocol, type Rule } from "../rule.ts";

/** One port of the host, and where it leads. */
export interface Mapping {
  readonly protocol: Protocol;
  readonly hostPort: number;
  readonly containerPort: number;
  /** The host's address; undefined for all of both families. The value 0 means all of its family (M8). */
  readonly hostIp?: IpAddress | undefined;
}

/** Everything that the rules of an attachment's ports depend on. */
export interface Published extends Attachment {
  readonly mappings: readonly Mapping[];
  /** The container's address in each family, with the prefix length of its subnet. */
  readonly addresses: { readonly [F in Family]?: Prefix | undefined };
  /** Whether connections from the host itself and from the container's subnet are masqueraded. */
  readonly snat: boolean;
  /** Whether all connections are. */
  readonly masqAll: boolean;
  /** Number of the bit of the packet mark with which iptables selects what it masquerades. */
  readonly markBit: number;
  /** A chain of another program that sets such a mark. */
  readonly externalSetMarkChain?: string | undefined;
  /** Words of the backend's tool for conditions of the mappings. */
  readonly conditions: { readonly [F in Family]?: readonly string[] | undefined };
  /** What is recorded of the attachment with its rules, in a form of the caller's. */
  readonly record: string;
}

/** The mappings of a family (M8). */
export const mappingsOf = ({ mappings }: Published, family: Family): Mapping[] =>
  mappings.filter(({ hostIp }) => hostIp === undefined || hostIp.family === family);

/** The one address of the host that a mapping is for. */
export const destinationOf = ({ hostIp }: Mapping): { readonly destination?: AddressMatch } =>
  hostIp === undefined || hostIp.value === 0n ? {} : { destination: exactly(hostIp) };

/** For messages: 8080/tcp, 10.1.2.1:8080/tcp, [fd00::1]:8080/tcp. */
export function describeMapping({ protocol, hostPort, hostIp }: Mapping): string {
  const port = `${hostPort}/${protocol}`;
  if (hostIp === undefined || hostIp.value === 0n) return port;
  return hostIp.family === 4 ? `${formatIp(hostIp)}:${port}` : `[${formatIp(hostIp)}]:${port}`;
}

/** Whether a rule that was found can take packets of a mapping. */
export function takes(rule: Rule, mapping: Mapping, family: Family): boolean {
  if (rule.protocol !== mapping.protocol) return false;
  if (rule.port !== mapping.hostPort && rule.ports?.includes(mapping.hostPort) !== true) return false;
  const wanted = destinationOf(mapping).destination?.prefix.address;
  const { destination } = rule;
  if (wanted === undefined || destination === undefined) return true;
  return wanted.family === family && destination.prefix.address.value === wanted.value;
}

/** Finds the mappings whose packets a rule can take, without comparing each rule with each mapping. */
export function takenFrom(mappings: readonly Mapping[], family: Family): (rule: Rule) => readonly Mapping[] {
  const byPort = Map.groupBy(mappings, ({ protocol, hostPort }) => `${protocol} ${hostPort}`);
  return (rule) =>
    (rule.ports ?? [rule.port]).flatMap(
      (port) =>
        byPort.get(`${rule.protocol} ${port}`)?.filter((mapping) => takes(rule, mapping, family)) ?? [],
    );
}

/** 127.0.0.1, from which connections of the host itself come. */
export const LOCALHOST: IpAddress = { family: 4, value: 0x7f000001n };

/** What is stored with a rule about its attachment: the caller's record, the interface, and what fits of the network. */
export function ownerText({ record, ifname, network }: Published, most: number): string {
  const text = `${record}\n${ifname}\n${network}`;
  return new TextEncoder().encode(text).length <= most ? text : `${record}\n${ifname}\n`;
}

/** Reads what `ownerText` wrote. */
export function parseOwner(text: string): { record: string; ifname: string; network: string } {
  const [record = "", ifname = "", network = ""] = text.split("\n");
  return { record, ifname, network };
}

/** Another attachment whose rules took packets of a mapping until now. */
export interface Rival {
  readonly mapping: Mapping;
  readonly containerId: string | undefined;
  readonly network: string | undefined;
  readonly mark: string | undefined;
  /** What is recorded of it. */
  readonly record: string;
}

/** For messages: container "c1" (network net1). */
export const describeRival = ({ containerId, network }: Pick<Rival, "containerId" | "network">): string =>
  containerId === undefined
    ? "another container"
    : `container ${JSON.stringify(containerId)}${network ? ` (network ${JSON.stringify(network)})` : ""}`;
