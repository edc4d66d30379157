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
];

export interface MessageClass {
  readonly name: string;
  readonly reference: RegExp;
  readonly ours: RegExp;
  /** The reference's code and ours, where they differ. */
  readonly codes?: readonly (readonly [number, number])[];
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

/** Code 999 stands for every failure of the reference's plugins; only its protocol part has others. */
const toCode = (code: number): readonly (readonly [number, number])[] => [[999, code]];

export const MESSAGE_CLASSES: readonly MessageClass[] = [
  // Protocol
  {
    name: "stdin is no JSON",
    reference: /^error unmarshall network config: (?!json: )/,
    ours: /^cannot decode the network configuration: /,
  },
  {
    name: "the document is no object",
    reference: /^error unmarshall network config: json: cannot unmarshal \S+ into Go value of type struct/,
    ours: /^cannot decode: the network configuration must be an object/,
  },
  {
    name: "the document is null",
    reference: /^missing network name$/,
    ours: /^cannot decode: the network configuration must be an object, not null$/,
    codes: [[7, 6]],
  },
  {
    name: "wrong type of a key that every plugin reads",
    reference:
      /^(error unmarshall network config|decoding version from network config): json: cannot unmarshal/,
    ours: /^cannot decode: key "(name|cniVersion)" must be a string/,
  },
  {
    name: "version that is none",
    reference: /^(invalid version ".*": too many parts|failed to convert (major|minor|micro) version part)/,
    ours: /^cannot decode:? key "cniVersion"/,
  },
  {
    name: "version newer than the plugin",
    reference: /^plugin version does not allow (CHECK|GC|STATUS)$/,
    ours: /^incompatible CNI versions: /,
  },
  // Types and values of keys
  {
    name: "wrong type of a key",
    reference: /json: cannot unmarshal|^json: /,
    ours: /cannot decode: key "\S+" must be /,
    codes: toCode(6),
  },
  {
    name: "CNI_ARGS",
    reference: /^ARGS: (unknown args|invalid pair|error parsing value of pair)/,
    ours: /CNI_ARGS|^ARGS: /,
    codes: [
      [999, 4],
      [999, 7],
    ],
  },
  {
    name: "interface name of the bridge",
    reference:
      /^failed to create bridge ".*": could not add ".*": (invalid argument|numerical result out of range)$/,
    ours: /^bridge ".*" is not a valid interface name/,
    codes: toCode(7),
  },
  {
    name: "mtu",
    reference: /^failed to (create bridge ".*": could not add ".*"|make veth pair): invalid argument$/,
    ours: /^invalid mtu /,
    codes: toCode(7),
  },
  {
    name: "hardware address",
    reference:
      /^failed to make veth pair: (address .*: invalid MAC address|cannot assign requested address|invalid argument)$/,
    ours: /^invalid MAC address /,
    codes: toCode(7),
  },
  {
    name: "keys that exclude each other",
    reference:
      /^(cannot set hairpin mode and promiscuous mode|cannot use IPAM when DisableContainerInterface)/,
    ours: /^(cannot set hairpin mode and promiscuous mode|cannot use IPAM when DisableContainerInterface)/,
    codes: toCode(7),
  },
  {
    name: "vlan, trunk, backend",
    reference: /^(invalid VLAN ID|minID |incorrect trunk|unknown ipmasq backend)/,
    ours: /^(invalid VLAN ID|minID |incorrect trunk|unknown ipmasq backend)/,
    codes: toCode(7),
  },
  // Namespaces
  {
    name: "netns cannot be opened",
    reference:
      /^(failed to open netns ".*": )?(failed to Statfs ".*": |unknown FS magic on |error switching to ns )/,
    ours: /^failed to open netns /,
    codes: toCode(8),
  },
  {
    name: "the namespace is judged before the lease",
    reference: /^host-local: Failed to find address added by container id-c1$/,
    ours: /^failed to open netns "\/proc\/(self\/ns\/uts|version)": /,
    codes: toCode(8),
  },
  {
    name: "the plugin's own namespace: the reference's host-local prints two documents",
    reference: /^netplugin failed but error parsing its diagnostic message /,
    ours: /^plugin's netns and netns from CNI_NETNS should not be the same/,
    codes: [[0, 8]],
  },
  {
    name: "there is no lease, for ADD was refused",
    reference: /^Required prevResult missing$/,
    ours: /^host-local: Failed to find address added by container id-c1/,
  },
  {
    name: "the configuration is judged before the lease",
    reference: /^host-local: Failed to find address added by container id-c1$/,
    ours: /^cannot use IPAM when DisableContainerInterface flag is set/,
    codes: toCode(7),
  },
  {
    name: "layer 2 without prevResult",
    reference: /^no plugin name provided$/,
    ours: /^Required prevResult missing/,
    codes: toCode(7),
  },
  // Interfaces, addresses, routes
  {
    name: "the container has an interface of that name",
    reference: /^container veth name \(".*"\) peer provided \(".*"\) already exists$/,
    ours: /^cannot add veth ".*" in .*: an interface of that name already exists/,
  },
  {
    name: "not a bridge",
    reference: /^failed to create bridge "(.*)": "\1" already exists but is not a bridge$/,
    ours: /already exists but is not a bridge/,
    codes: toCode(7),
  },
  {
    name: "another address on the bridge",
    reference: /^failed to set bridge addr: "(.*)" already has an IP address different from /,
    ours: /^".*" already has an IP address different from /,
  },
  {
    name: "route is refused",
    reference: /^failed to add route '.*': (invalid argument|file exists|network is unreachable)$/,
    ours: /route.*(EINVAL|EEXIST|ENETUNREACH)|^ipam\.\S+: /,
    codes: [
      [999, 7],
      [999, 999],
    ],
  },
  {
    name: "mtu too small for IPv6",
    reference: /^failed to enable keep_addr_on_down for interface /,
    ours: /^mtu: \d+ is too small for /,
    codes: toCode(7),
  },
  {
    name: "address is refused",
    reference:
      /^failed to (set bridge addr: could not add IP address|add IP addr) .*: (permission denied|invalid argument|address already assigned|file exists|cannot assign requested address)$/,
    ours: /address.*(EACCES|EINVAL|EEXIST|EADDRNOTAVAIL)|^address \S+ of the IPAM plugin: /,
    codes: [
      [999, 7],
      [999, 999],
    ],
  },
  // CHECK
  {
    name: "an interface is gone",
    reference: /^Interface name (.+) not found$/,
    ours: /^CNI (created (bridge|interface in container)|veth created for bridge) .*not found/,
  },
  {
    name: "the bridge is not in prevResult",
    reference: /^Interface name missing $/,
    ours: /^(CNI veth created for bridge .* was not found|Interface .* is missing in prevResult)/,
  },
  {
    name: "hardware address changed",
    reference: /^(Bridge interface|Interface) (.+) Mac/,
    ours: /^(Bridge interface|Interface) .+ Mac doesn't match/,
  },
  {
    name: "promiscuous mode changed",
    reference: /^Bridge interface \S+ configured Promisc Mode/,
    ours: /promisc/i,
  },
  {
    name: "sandbox",
    reference: /^Sandbox in prevResult .*doesn't match configured netns: /,
    ours: /^(Sandbox in prevResult .*doesn't match configured netns: |Interface eth0 is missing in prevResult)/,
  },
  {
    name: "route lost",
    reference: /^Expected Route \{Dst:.*\} not found in routing table$/,
    ours: /^Expected Route \S+( via \S+)? not found in routing table/,
  },
  {
    name: "interface down: the routes are gone with it",
    reference: /^Failed to find Gateway \S+ for interface eth0$/,
    ours: /^container interface eth0 is down(;|$)/,
  },
  {
    name: "the port left the bridge",
    reference: /^CNI veth created for bridge cni0 was not found$/,
    ours: /^(CNI veth created for bridge cni0 was not found|host interface \S+( \S+)* is not a port of bridge cni0)/,
  },
  {
    name: "prevResult cannot be read",
    reference: /could not parse prevResult: /,
    ours: /prevResult/,
    codes: [
      [999, 6],
      [999, 1],
    ],
  },
  {
    name: "prevResult missing",
    reference: /^Required prevResult missing$/,
    ours: /^Required prevResult missing/,
    codes: toCode(7),
  },
  // Delegates
  {
    name: "no such plugin",
    reference: /^(failed to find plugin|invalid plugin name)/,
    ours: /^(failed to find plugin|invalid plugin name)/,
    codes: toCode(7),
  },
  // host-local
  {
    name: "range set",
    reference:
      /^(invalid range set \d: |range set \d overlaps with \d|no IP ranges specified|CNI version \S+ does not support)/,
    ours: /^(invalid range set \d: |range set \d overlaps with \d|no IP ranges specified|CNI version \S+ does not support more than 1 address per family$)/,
    codes: toCode(7),
  },
  {
    name: "no ipam",
    reference: /^IPAM config missing 'ipam' key$/,
    ours: /^IPAM config missing 'ipam' key/,
    codes: toCode(7),
  },
  {
    name: "address or prefix that is none",
    reference: /invalid (CIDR|IP) address/,
    ours: /invalid (CIDR|IP) address/,
    codes: toCode(7),
  },
  {
    name: "one requested address too many: which one the reference names is chance",
    reference: /^failed to allocate all requested IPs: 10\.10\.\d\.\d+$/,
    ours: /^failed to allocate all requested IPs: 10\.10\.\d\.\d+: a range set gives one address/,
  },
  {
    name: "resolvConf cannot be read",
    reference: /^(open|read) \S+: (no such file or directory|is a directory)$/,
    ours: /resolvConf/,
    codes: toCode(5),
  },
  {
    name: "directory of the leases",
    reference: /^mkdir \S+: (not a directory|no such file or directory)$/,
    ours: /lease/,
    codes: toCode(5),
  },
];

/** The class of two messages, if there is one. */
export const classOf = (reference: string, ours: string): MessageClass | undefined =>
  MESSAGE_CLASSES.find((entry) => entry.reference.test(reference) && entry.ours.test(ours));
