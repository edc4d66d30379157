/** What an attachment with VLANs is like, for comparison: roles instead of names, no MACs, no indexes. */
import { type AddResult, type Attachment, BRIDGE, type ShownLink } from "../../kernel/bridge/network.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import { gatewayPort, vlansOf } from "./vlan-network.ts";

/** Everything that the plugin decides about the attachment, the bridge and the VLAN's gateway. */
export async function observe(attachment: Attachment, result: AddResult): Promise<Record<string, unknown>> {
  const { host, namespace } = attachment;
  const port = result.interfaces[1]?.name ?? "";
  const gateway = result.interfaces[3]?.name;
  return {
    result: anonymous(result),
    bridge: { ...(await link(host, BRIDGE)), vlans: await vlansOf(host, BRIDGE) },
    port: await portState(host, port),
    inside: await link(namespace, attachment.ifname),
    routes: await routes(namespace),
    sysctls: await sysctls(namespace, attachment.ifname),
    ...(gateway !== undefined && {
      gateway: await link(host, gateway),
      gatewayPort: await portState(host, await gatewayPort(host, gateway)),
      hostRoutes: await routes(host),
      forwarding: await host.run("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"),
    }),
  };
}

/** A result without MACs and names of veths, both of which are there. */
function anonymous(result: AddResult): object {
  const interfaces = result.interfaces.map(({ name, mac, ...rest }) => ({
    ...rest,
    name: name.replace(/^veth[0-9a-f]{8}$/, "VETH"),
    mac: mac.replace(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, "MAC"),
  }));
  // An old reference writes an empty one.
  const { dns, ...rest } = result;
  return { ...rest, interfaces, ...(Object.keys(dns ?? {}).length > 0 && { dns }) };
}

/** Flags, kind, mtu and settings of a link, with its addresses but for those that the kernel gives by itself. */
async function link(place: ScratchHost | NamedNamespace, name: string): Promise<object> {
  type Addressed = ShownLink & {
    addr_info: { local: string; prefixlen: number; scope: string }[];
  };
  const [shown] = await place.json<Addressed[]>(["ip", "-d", "-j", "addr", "show", "dev", name]);
  if (shown === undefined) throw new Error(`no link ${name}`);
  const { vlan_filtering, vlan_default_pvid, stp_state } = shown.linkinfo?.info_data ?? {};
  return {
    flags: shown.flags,
    mtu: shown.mtu,
    // A bridge's follows its first port's some time later.
    operstate: shown.linkinfo?.info_kind === "bridge" ? undefined : shown.operstate,
    promiscuity: shown.promiscuity,
    master: shown.master,
    kind: shown.linkinfo?.info_kind,
    vlan_filtering,
    vlan_default_pvid,
    stp_state,
    addresses: shown.addr_info
      .filter(({ scope }) => scope === "global")
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  };
}

async function portState(host: ScratchHost, name: string): Promise<object> {
  const [shown] = await host.json<Record<string, unknown>[]>(`bridge -d -j link show dev ${name}`);
  const { ifindex, ifname, link: _peer, ...flags } = shown ?? {};
  const ipv6 = `/proc/sys/net/ipv6/conf/${name}`;
  return {
    ...(await link(host, name)),
    port: flags,
    vlans: await vlansOf(host, name),
    acceptRa: await host.run(`cat ${ipv6}/accept_ra`),
  };
}

const routes = (place: ScratchHost | NamedNamespace): Promise<string[]> =>
  place
    .run("ip -4 route; ip -6 route")
    .then((text) => text.split("\n").filter((line) => line !== "" && !line.startsWith("fe80::")));

const sysctls = (namespace: NamedNamespace, name: string): Promise<string> =>
  namespace.run(
    `cd /proc/sys/net; grep -H . ipv4/conf/${name}/arp_notify ipv6/conf/${name}/accept_dad ipv6/conf/${name}/disable_ipv6`,
  );
