/**
 * Error messages are compared by class: what is wrong, not in which words. Ours holds the reference's words and may
 * say more; where it can't, a class below says which two texts mean the same, and which codes they come with.
 */

/** Texts, with their details, that the suites of the CNI project compare whole: ours says no more (K14). */
export const EXACT: readonly RegExp[] = [
  /^required env variables \[/,
  /^invalid characters in containerID: /,
  /^interface name (is|contains) /,
  /^missing network name$/,
  /^invalid characters found in network name: /,
  /^incompatible CNI versions: /,
  /^config version does not allow (CHECK|GC|STATUS)$/,
  /^unknown CNI_COMMAND: /,
  /^plugin's netns and netns from CNI_NETNS should not be the same$/,
  /^cannot convert: no valid IP addresses$/,
  /^CNI version \S+ does not support more than 1 address per family$/,
  /^the '(address|ip)' field is expected to be in CIDR notation, got: '/,
  /^an entry in the 'ips' field is NOT in CIDR notation, got: '/,
];

export interface MessageClass {
  readonly name: string;
  readonly reference: RegExp;
  readonly ours: RegExp;
  /** The reference's code and ours, where they may differ. */
  readonly codes: readonly (readonly [number, number])[];
}

const plain = (message: string): string =>
  message
    .toLowerCase()
    .replace(/["'`\\]/g, "")
    .replace(/\s+/g, " ")
    .trim();

/** Whether ours holds the reference's words. */
export const holdsWords = (reference: string, ours: string): boolean =>
  plain(ours).includes(plain(reference));

/** Name, the reference's words, ours, and pairs of codes that may differ so. 999 stands for every failure of the reference's plugins. */
type Row = readonly [name: string, reference: RegExp, ours: RegExp, ...codes: (readonly [number, number])[]];

const ROWS: readonly Row[] = [
  // Protocol
  [
    "stdin is no JSON",
    /^error unmarshall network config: (?!json: )/,
    /^cannot decode the network configuration: /,
  ],
  [
    "the document is no object",
    /^error unmarshall network config: json: cannot unmarshal \S+ into Go value of type struct/,
    /^cannot decode: the network configuration must be an object/,
  ],
  [
    "the document is null",
    /^missing network name$/,
    /^cannot decode: the network configuration must be an object, not null$/,
    [7, 6],
  ],
  [
    "wrong type of a key that every plugin reads",
    /^(error unmarshall network config|decoding version from network config): json: cannot unmarshal/,
    /^cannot decode: key "(name|cniVersion)" must be a string/,
  ],
  [
    "version that is none",
    /^(invalid version ".*": too many parts|failed to convert (major|minor|micro) version part)/,
    /^cannot decode:? key "cniVersion"/,
  ],
  [
    "version newer than the plugin",
    /^plugin version does not allow (CHECK|GC|STATUS)$/,
    /^incompatible CNI versions: /,
  ],
  // Types and values of keys
  ["wrong type of a key", /json: cannot unmarshal|^json: /, /cannot decode: key "\S+" must be /, [999, 6]],
  [
    "CNI_ARGS",
    /^ARGS: (unknown args|invalid pair|error parsing value of pair)/,
    /CNI_ARGS|^ARGS: /,
    [999, 4],
    [999, 7],
  ],
  [
    "interface name of the bridge",
    /^failed to create bridge ".*": could not add ".*": (invalid argument|numerical result out of range)$/,
    /^bridge ".*" is not a valid interface name/,
    [999, 7],
  ],
  [
    "mtu",
    /^failed to (create bridge ".*": could not add ".*"|make veth pair): invalid argument$/,
    /^invalid mtu /,
    [999, 7],
  ],
  [
    "hardware address",
    /^failed to make veth pair: (address .*: invalid MAC address|cannot assign requested address|invalid argument)$/,
    /^invalid MAC address /,
    [999, 7],
  ],
  [
    "keys that exclude each other",
    /^(cannot set hairpin mode and promiscuous mode|cannot use IPAM when DisableContainerInterface)/,
    /^(cannot set hairpin mode and promiscuous mode|cannot use IPAM when DisableContainerInterface)/,
    [999, 7],
  ],
  [
    "vlan, trunk, backend",
    /^(invalid VLAN ID|minID |incorrect trunk|unknown ipmasq backend)/,
    /^(invalid vlan|minID |invalid ipMasqBackend)/,
    [999, 7],
  ],
  // Namespaces
  [
    "netns cannot be opened",
    /^(failed to open netns ".*": )?(failed to Statfs ".*": |unknown FS magic on |error switching to ns )/,
    /^failed to open netns /,
    [999, 8],
  ],
  [
    "the namespace is judged before the lease",
    /^host-local: Failed to find address added by container id-c1$/,
    /^failed to open netns "\/proc\/(self\/ns\/uts|version)": /,
    [999, 8],
  ],
  [
    "the plugin's own namespace: the reference's host-local prints two documents",
    /^netplugin failed but error parsing its diagnostic message /,
    /^plugin's netns and netns from CNI_NETNS should not be the same/,
    [0, 8],
  ],
  [
    "there is no lease, for ADD was refused",
    /^Required prevResult missing$/,
    /^host-local: Failed to find address added by container id-c1/,
  ],
  [
    "the configuration is judged before the lease",
    /^host-local: Failed to find address added by container id-c1$/,
    /^cannot use IPAM when DisableContainerInterface flag is set/,
    [999, 7],
  ],
  ["layer 2 without prevResult", /^no plugin name provided$/, /^Required prevResult missing/, [999, 7]],
  // Interfaces, addresses, routes
  [
    "the container has an interface of that name",
    /^container veth name \(".*"\) peer provided \(".*"\) already exists$/,
    /^cannot add veth ".*" in .*: an interface of that name already exists/,
  ],
  [
    "not a bridge",
    /^failed to create bridge "(.*)": "\1" already exists but is not a bridge$/,
    /already exists but is not a bridge/,
    [999, 7],
  ],
  [
    "another address on the bridge",
    /^failed to set bridge addr: "(.*)" already has an IP address different from /,
    /^".*" already has an IP address different from /,
  ],
  [
    "route is refused",
    /^failed to add route '.*': (invalid argument|file exists|network is unreachable)$/,
    /route.*(EINVAL|EEXIST|ENETUNREACH)|^ipam\.\S+: /,
    [999, 7],
  ],
  [
    "mtu too small for IPv6",
    /^failed to enable keep_addr_on_down for interface /,
    /^mtu: \d+ is too small for /,
    [999, 7],
  ],
  [
    "address is refused",
    /^failed to (set bridge addr: could not add IP address|add IP addr) .*: (permission denied|invalid argument|address already assigned|file exists|cannot assign requested address)$/,
    /address.*(EACCES|EINVAL|EEXIST|EADDRNOTAVAIL)|^address \S+ of the IPAM plugin: /,
    [999, 7],
  ],
  // CHECK
  [
    "an interface is gone",
    /^Interface name (.+) not found$/,
    /^CNI (created (bridge|interface in container)|veth created for bridge) .*not found/,
  ],
  [
    "the bridge is not in prevResult",
    /^Interface name missing $/,
    /^(CNI veth created for bridge .* was not found|Interface .* is missing in prevResult)/,
  ],
  [
    "hardware address changed",
    /^(Bridge interface|Interface) (.+) Mac/,
    /^(Bridge interface|Interface) .+ Mac doesn't match/,
  ],
  ["promiscuous mode changed", /^Bridge interface \S+ configured Promisc Mode/, /promisc/i],
  [
    "sandbox",
    /^Sandbox in prevResult .*doesn't match configured netns: /,
    /^(Sandbox in prevResult .*doesn't match configured netns: |Interface eth0 is missing in prevResult)/,
  ],
  [
    "route lost",
    /^Expected Route \{Dst:.*\} not found in routing table$/,
    /^Expected Route \S+( via \S+)? not found in routing table/,
  ],
  [
    "interface down: the routes are gone with it",
    /^Failed to find Gateway \S+ for interface eth0$/,
    /^container interface eth0 is down(;|$)/,
  ],
  [
    "the port left the bridge",
    /^CNI veth created for bridge cni0 was not found$/,
    /^(CNI veth created for bridge cni0 was not found|host interface \S+( \S+)* is not a port of bridge cni0)/,
  ],
  ["prevResult cannot be read", /could not parse prevResult: /, /prevResult/, [999, 6], [999, 1]],
  ["prevResult missing", /^Required prevResult missing$/, /^Required prevResult missing/, [999, 7]],
  // Delegates
  [
    "no such plugin",
    /^(failed to find plugin|invalid plugin name)/,
    /^(failed to find plugin|invalid plugin name)/,
    [999, 7],
  ],
  // host-local
  [
    "range set",
    /^(invalid range set \d: |range set \d overlaps with \d|no IP ranges specified|CNI version \S+ does not support)/,
    /^(invalid range set \d: |ipam\.ranges\S+: missing; |range set \d overlaps with \d|no IP ranges specified|CNI version \S+ does not support more than 1 address per family$)/,
    [999, 7],
  ],
  ["no ipam", /^IPAM config missing 'ipam' key$/, /^IPAM config missing 'ipam' key/, [999, 7]],
  [
    "address or prefix that is none",
    /invalid (CIDR|IP) address/,
    /invalid (CIDR|IP) address|: missing; it must be an IP address/,
    [999, 7],
  ],
  // tuning
  ["a setting was lost", /^Error: Tuning (configured|link) /, /^Tuning (configured|link) /],
  ["sysctl is refused", /^(write|open) \/proc\/sys\/\S+: /, /^cannot set sysctl /],
  ["sysctl outside of net", /^invalid net sysctl key: /, /^invalid net sysctl key: /, [999, 7]],
  [
    "sysctl twice",
    /^duplicated sysctl keys are not allowed$/,
    /^duplicated sysctl keys are not allowed: /,
    [999, 7],
  ],
  ["sysctl is not allowed", /^Sysctl \S+ is not allowed\. /, /^Sysctl \S+ is not allowed\. /, [999, 7]],
  [
    "expression of the allowlist",
    /^error parsing regexp: /,
    /^cannot use line \d+ of \S+: error parsing regexp: /,
    [999, 7],
  ],
  [
    "value that the link does not take",
    /^(invalid argument|cannot assign requested address|invalid args \S+ for MAC addr: .*)$/,
    /^(cannot set mtu |invalid mtu |invalid MAC address )/,
    [999, 7],
  ],
  // portmap
  [
    "keys of portmap",
    /^(failed to parse config: )?(unrecognized backend |MasqMarkBit must be |Cannot specify externalSetMarkChain |(iptables|nftables) backend was requested )/,
    /^(unrecognized backend |MasqMarkBit must be |Cannot specify externalSetMarkChain |(iptables|nftables) backend was requested )/,
    [999, 7],
  ],
  ["port", /Invalid (host|container) port number: /, /^Invalid (host|container) port number: /, [999, 7]],
  [
    "what iptables or nft refuses",
    /^unable to (setup DNAT|set up nftables rules for port mappings): (?!.*KUBE-MARK-MASQ)/,
    /^(Invalid (host|container) port number: |portMappings\[0\]\.(protocol|hostIP) )/,
    [999, 7],
  ],
  [
    "the chain that marks is missing",
    /^unable to setup DNAT: .*KUBE-MARK-MASQ/,
    /^chain KUBE-MARK-MASQ is not in table nat of iptables-nft: /,
    [999, 11],
  ],
  [
    "portmap alone",
    /^(must be called as chained plugin|Required prevResult missing)$/,
    /^(must be called as chained plugin|Required prevResult missing)/,
    [999, 7],
  ],
  [
    "a published port is lost",
    /^(could not check ipv[46] dnat: |missing hostport rules in )/,
    /^published ports of container "id-c1" interface "eth0" in network "net" do not work: /,
  ],
  // firewall
  [
    "keys of firewall",
    /^(unknown ingress policy: |interface needs to be set for ingress policy )/,
    /^(unknown ingress policy: |interface needs to be set for ingress policy )/,
    [999, 7],
  ],
  [
    "firewall alone",
    /^missing prevResult from earlier plugin$/,
    /^missing prevResult from earlier plugin: /,
    [999, 7],
  ],
  ["firewall's rules are lost", /^expected .*rule .* not found$/, /^firewall rules of container "id-c1" /],
  ["no bus of the system", /dial unix /, /firewalld/],
  ["name of a chain", /chain name .*too long/, /^invalid iptablesAdminChainName /, [999, 7]],
  // static
  [
    "address without a prefix length",
    /^(the '(address|ip)' field is expected to be|an entry in the 'ips' field is NOT) in CIDR notation, got: '/,
    /^(the '(address|ip)' field is expected to be|an entry in the 'ips' field is NOT) in CIDR notation, got: '/,
    [999, 7],
  ],
  ["gateway of a variable", /^invalid gateway address: /, /^invalid gateway address: /, [999, 7]],
  [
    "one requested address too many: which one the reference names is chance",
    /^failed to allocate all requested IPs: 10\.10\.\d\.\d+$/,
    /^failed to allocate all requested IPs: 10\.10\.\d\.\d+: each range set gives one address/,
  ],
  [
    "resolvConf cannot be read",
    /^(open|read) \S+: (no such file or directory|is a directory)$/,
    /resolvConf/,
    [999, 5],
  ],
  ["directory of the leases", /^mkdir \S+: (not a directory|no such file or directory)$/, /lease/, [999, 5]],
];

export const MESSAGE_CLASSES: readonly MessageClass[] = ROWS.map(([name, reference, ours, ...codes]) => ({
  name,
  reference,
  ours,
  codes,
}));

/** The class of two messages, if there is one. */
export const classOf = (reference: string, ours: string): MessageClass | undefined =>
  MESSAGE_CLASSES.find((entry) => entry.reference.test(reference) && entry.ours.test(ours));
