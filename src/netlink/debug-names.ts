/**
 * Names of message types, flags and attributes for debug.ts, as uapi linux/{netlink,rtnetlink,if_link,if_addr,neighbour}.h
 * and linux/netfilter/{nfnetlink,nf_tables}.h spell them. Not complete: what is absent is shown by its number.
 */

/** Which netlink family a socket speaks: message types have other meanings in each. */
export type NetlinkFamily = "route" | "netfilter";

/** Attributes by type: a name, or a name and what the attribute holds. */
export type Names = Readonly<Record<number, string | readonly [name: string, inside: Layout | "by kind"]>>;

/** A fixed header of so many bytes, then attributes. */
export interface Layout {
  readonly header: number;
  readonly names: Names;
}

const attributes = (names: Names): Layout => ({ header: 0, names });
const IFINFOMSG = 16;

const BRIDGE_PORT = attributes({ 1: "IFLA_BRPORT_STATE", 4: "IFLA_BRPORT_MODE", 33: "IFLA_BRPORT_ISOLATED" });
const LINK_INFO = attributes({
  1: "IFLA_INFO_KIND",
  2: ["IFLA_INFO_DATA", "by kind"],
  3: "IFLA_INFO_XSTATS",
  4: "IFLA_INFO_SLAVE_KIND",
  5: ["IFLA_INFO_SLAVE_DATA", BRIDGE_PORT],
});
const BRIDGE_SPEC = attributes({ 0: "IFLA_BRIDGE_FLAGS", 1: "IFLA_BRIDGE_MODE", 2: "IFLA_BRIDGE_VLAN_INFO" });

const IFLA: Names = {
  1: "IFLA_ADDRESS",
  2: "IFLA_BROADCAST",
  3: "IFLA_IFNAME",
  4: "IFLA_MTU",
  5: "IFLA_LINK",
  6: "IFLA_QDISC",
  7: "IFLA_STATS",
  10: "IFLA_MASTER",
  12: ["IFLA_PROTINFO", BRIDGE_PORT],
  13: "IFLA_TXQLEN",
  16: "IFLA_OPERSTATE",
  17: "IFLA_LINKMODE",
  18: ["IFLA_LINKINFO", LINK_INFO],
  19: "IFLA_NET_NS_PID",
  20: "IFLA_IFALIAS",
  23: "IFLA_STATS64",
  26: ["IFLA_AF_SPEC", attributes({})],
  27: "IFLA_GROUP",
  28: "IFLA_NET_NS_FD",
  29: "IFLA_EXT_MASK",
  30: "IFLA_PROMISCUITY",
  33: "IFLA_CARRIER",
  37: "IFLA_LINK_NETNSID",
};
const LINK: Layout = { header: IFINFOMSG, names: IFLA };
/** In messages of family AF_BRIDGE, IFLA_AF_SPEC is about VLANs. */
export const BRIDGE_LINK: Layout = {
  header: IFINFOMSG,
  names: { ...IFLA, 26: ["IFLA_AF_SPEC", BRIDGE_SPEC] },
};

/** IFLA_INFO_DATA by the kind of the link. */
export const INFO_DATA: Readonly<Record<string, Layout>> = {
  bridge: attributes({
    1: "IFLA_BR_FORWARD_DELAY",
    7: "IFLA_BR_VLAN_FILTERING",
    39: "IFLA_BR_VLAN_DEFAULT_PVID",
  }),
  veth: attributes({ 1: ["VETH_INFO_PEER", LINK] }),
};

const ROUTE_METRICS = attributes({ 1: "RTAX_LOCK", 2: "RTAX_MTU", 8: "RTAX_ADVMSS" });

/** Objects of rtnetlink: RTM_NEW…, DEL, GET and SET take four numbers each, from 16 on. */
export const ROUTE_OBJECTS: readonly (readonly [name: string, layout: Layout])[] = [
  ["LINK", LINK],
  [
    "ADDR",
    {
      header: 8,
      names: {
        1: "IFA_ADDRESS",
        2: "IFA_LOCAL",
        3: "IFA_LABEL",
        4: "IFA_BROADCAST",
        6: "IFA_CACHEINFO",
        8: "IFA_FLAGS",
      },
    },
  ],
  [
    "ROUTE",
    {
      header: 12,
      names: {
        1: "RTA_DST",
        2: "RTA_SRC",
        4: "RTA_OIF",
        5: "RTA_GATEWAY",
        6: "RTA_PRIORITY",
        7: "RTA_PREFSRC",
        8: ["RTA_METRICS", ROUTE_METRICS],
        9: "RTA_MULTIPATH",
        12: "RTA_CACHEINFO",
        15: "RTA_TABLE",
        18: "RTA_VIA",
        20: "RTA_PREF",
      },
    },
  ],
  ["NEIGH", { header: 12, names: { 1: "NDA_DST", 2: "NDA_LLADDR", 3: "NDA_CACHEINFO", 4: "NDA_PROBES" } }],
];

/** Messages of NFNL_SUBSYS_NFTABLES (10) by their low byte. */
export const NFTABLES_MESSAGES: readonly string[] = [
  ...[
    "NEWTABLE",
    "GETTABLE",
    "DELTABLE",
    "NEWCHAIN",
    "GETCHAIN",
    "DELCHAIN",
    "NEWRULE",
    "GETRULE",
    "DELRULE",
  ],
  ...["NEWSET", "GETSET", "DELSET", "NEWSETELEM", "GETSETELEM", "DELSETELEM", "NEWGEN", "GETGEN", "TRACE"],
  ...["NEWOBJ", "GETOBJ", "DELOBJ", "GETOBJ_RESET", "NEWFLOWTABLE", "GETFLOWTABLE", "DELFLOWTABLE"],
];

export const CONTROL: Readonly<Record<number, string>> = {
  1: "NLMSG_NOOP",
  2: "NLMSG_ERROR",
  3: "NLMSG_DONE",
  4: "NLMSG_OVERRUN",
};

/** NLM_F_* of every message, lowest bit first. */
export const COMMON_FLAGS = ["REQUEST", "MULTI", "ACK", "ECHO", "DUMP_INTR", "DUMP_FILTERED"] as const;

/** NLM_F_* from 0x100 on, which mean something else by the kind of the message. */
export const FLAGS_BY_KIND = {
  new: ["REPLACE", "EXCL", "CREATE", "APPEND"],
  delete: ["NONREC", "BULK"],
  get: ["ROOT", "MATCH", "ATOMIC"],
  control: ["CAPPED", "ACK_TLVS"],
} as const;
