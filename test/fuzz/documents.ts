/** Valid inputs that the fuzzers start from. */

export const CONFIGURATIONS: readonly Record<string, unknown>[] = [
  {
    cniVersion: "1.0.0",
    name: "net",
    type: "bridge",
    bridge: "cni0",
    isGateway: true,
    ipMasq: true,
    promiscMode: true,
    // Of tuning.
    sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1", "net/ipv6/conf/IFNAME/accept_ra": "0" },
    promisc: true,
    allmulti: true,
    txQLen: 500,
    // Of portmap and firewall.
    runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }] },
    ingressPolicy: "same-bridge",
    ipam: {
      type: "host-local",
      ranges: [[{ subnet: "10.88.0.0/16" }], [{ subnet: "2001:4860:4860::/64" }]],
      routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
    },
  },
  {
    cniVersion: "0.2.0",
    name: "mybridge",
    type: "bridge",
    isDefaultGateway: true,
    forceAddress: false,
    hairpinMode: true,
    mtu: 1400,
    dns: { nameservers: ["10.0.0.53"], domain: "example", search: ["a"], options: ["ndots:2"] },
    ipam: {
      type: "host-local",
      subnet: "10.15.20.0/24",
      rangeStart: "10.15.20.10",
      rangeEnd: "10.15.20.99",
      gateway: "10.15.20.1",
      dataDir: "/var/lib/cni/networks",
      resolvConf: "/etc/resolv.conf",
      routes: [
        { dst: "1.1.1.1/32", gw: "10.15.20.1", mtu: 1300, advmss: 1200, priority: 5, table: 9, scope: 0 },
      ],
    },
  },
  {
    cniVersion: "1.1.0",
    name: "vlans",
    type: "bridge",
    vlan: 5,
    vlanTrunk: [{ id: 7 }, { minID: 10, maxID: 20 }],
    preserveDefaultVlan: false,
    macspoofchk: true,
    portIsolation: true,
    ipMasqBackend: "nftables",
    args: { cni: { mac: "02:00:00:00:00:02", ips: ["10.1.0.7"] } },
    runtimeConfig: {
      mac: "02:00:00:00:00:01",
      ips: ["10.1.0.9/24", "fd00::9"],
      ipRanges: [[{ subnet: "10.2.0.0/24", rangeStart: "10.2.0.5" }]],
    },
    capabilities: { ips: true, mac: true },
    ipam: { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }, { subnet: "10.3.0.0/24" }]] },
    "cni.dev/valid-attachments": [{ containerID: "a", ifname: "eth0" }],
  },
  {
    cniVersion: "0.4.0",
    name: "spoof",
    type: "bridge",
    bridge: "br-spoof",
    isDefaultGateway: true,
    ipMasq: true,
    ipMasqBackend: "iptables",
    macspoofchk: true,
    hairpinMode: true,
    ipam: {
      type: "host-local",
      ranges: [[{ subnet: "10.40.0.0/28" }], [{ subnet: "fd40::/120" }]],
      routes: [{ dst: "10.99.0.0/16", gw: "10.40.0.9" }],
    },
  },
  {
    cniVersion: "1.1.0",
    name: "fixed",
    type: "bridge",
    isGateway: true,
    vlan: 7,
    ipMasq: true,
    ipMasqBackend: "nftables",
    ipam: {
      type: "static",
      addresses: [{ address: "10.50.0.3/24", gateway: "10.50.0.1" }, { address: "fd50::3/64" }],
      routes: [{ dst: "0.0.0.0/0" }],
      dns: { nameservers: ["10.50.0.1"] },
    },
  },
];

/** Results of each form: of 1.x, of 0.3 and 0.4, of 0.1 and 0.2. */
export const RESULTS: readonly Record<string, unknown>[] = [
  {
    cniVersion: "1.1.0",
    interfaces: [
      { name: "cni0", mac: "02:00:00:00:00:01", mtu: 1500 },
      { name: "eth0", mac: "02:00:00:00:00:02", sandbox: "/run/netns/a", socketPath: "/s", pciID: "0" },
    ],
    ips: [{ interface: 1, address: "10.1.0.2/24", gateway: "10.1.0.1" }, { address: "fd00::2/64" }],
    routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1", mtu: 1400, advmss: 1, priority: 1, table: 1, scope: 1 }],
    dns: { nameservers: ["10.1.0.1"], domain: "d", search: ["s"], options: ["o"] },
  },
  {
    cniVersion: "0.4.0",
    interfaces: [{ name: "eth0", mac: "02:00:00:00:00:02", sandbox: "/run/netns/a" }],
    ips: [{ version: "4", interface: 0, address: "10.1.0.2/24", gateway: "10.1.0.1" }],
    routes: [{ dst: "0.0.0.0/0" }],
    dns: {},
  },
  {
    cniVersion: "0.2.0",
    ip4: { ip: "10.1.0.2/24", gateway: "10.1.0.1", routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }] },
    ip6: { ip: "fd00::2/64", gateway: "fd00::1", routes: [] },
    dns: { nameservers: ["10.1.0.1"] },
  },
];

/** A complete environment of a call. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "container-1",
  CNI_NETNS: "/var/run/netns/a",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/opt/cni/bin",
  CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=a;IP=10.1.0.9;MAC=02:00:00:00:00:03",
};

export const COMMANDS = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] as const;
