/** Calls that end otherwise than the reference's: one side fails where the other succeeds. */
import type { ComparedStep } from "../../engine/comparison.ts";
import type { Deviation, Reason } from "../../engine/exceptions.ts";
import { ABSENT, at, type Side } from "../../engine/tree.ts";

interface Outcome extends Reason {
  readonly cases: RegExp;
  /** Labels of the steps. */
  readonly steps: RegExp;
  /** The words of the error of the side that fails. One that is left out succeeds. */
  readonly reference?: RegExp;
  readonly ours?: RegExp;
}

const isEnd = (words: RegExp | undefined, error: Side): boolean =>
  words === undefined ? error === ABSENT : words.test(String(at(error, "message")));

/** The facts that tell how a call ended. */
export function factsOf(outcome: Outcome): Deviation[] {
  const { steps, reference, ours, ...rest } = outcome;
  const reason = { ...rest, of: outcome };
  const when = ({ step, ...sides }: ComparedStep): boolean =>
    steps.test(step.label) &&
    isEnd(reference, at(sides.reference, "error")) &&
    isEnd(ours, at(sides.ours, "error"));
  const exit = (words?: RegExp) => (words === undefined ? 0 : 1);
  const prints = (words?: RegExp) => (side: Side) => (words === undefined) === (side !== ABSENT);
  return [
    { ...reason, when, path: "exit", reference: exit(reference), ours: exit(ours) },
    { ...reason, when, path: "error", reference: () => true, ours: () => true },
    { ...reason, when, path: "stdout", reference: prints(reference), ours: prints(ours) },
  ];
}

/** Texts of the reference for a configuration that it can't read. */
export const WRONG_CONFIGURATION =
  /cannot unmarshal|^invalid (VLAN|range set|CIDR|IP|character)|invalid IP address|^minID|^incorrect trunk|^range set|^no IP ranges|^ARGS: |IPAM config missing|^IPNet|^CNI version|^cannot understand ip|overlap/;

const OUTCOME_LIST: readonly Outcome[] = [
  // DEL
  {
    row: "L9",
    cases: /^(host-local[:,]|version 0\.[12]\.0, two addresses of IPv6$|DEL with(out| wrong) ranges$)/,
    steps: /^DEL/,
    reference: WRONG_CONFIGURATION,
  },
  {
    row: "A31",
    cases: /^(bad configuration: |unknown CNI_ARGS|CNI_ARGS )/,
    steps: /^DEL/,
    reference: WRONG_CONFIGURATION,
  },
  {
    row: "G15",
    cases: /^(DEL( without ADD)?: (.*path |plain file)|CNI_NETNS: |loopback: DEL without namespace$)/,
    steps: /DEL|^plain file$/,
    reference: /unknown FS magic on |failed to Statfs ".*": not a directory|error switching to ns /,
  },
  {
    row: "G27",
    cases: /^ipMasq, (default backend|iptables), two addresses of a family$/,
    steps: /^DEL( again)?$/,
    reference: /CHAIN_DEL failed \(Device or resource busy\)/,
  },
  {
    row: "G16",
    cases: /^masquerade of three attachments, (default backend|iptables)$/,
    steps: /^DEL c1$/,
    reference: /CHAIN_DEL failed \(Device or resource busy\)/,
  },
  // CHECK
  {
    row: "K25",
    because: "an address that another may be given is a loss, also beside one that is held",
    cases: /^CHECK: (one )?lease deleted$/,
    steps: /^CHECK$/,
    ours: /^host-local: Failed to find address added by container \S+: no lease of its interface eth0 for 10\.10\.0\.2 is in /,
  },
  {
    row: "G12",
    cases: /layer 2|^macspoofchk, disableContainerInterface$/,
    steps: /^CHECK/,
    reference: /^no plugin name provided$/,
  },
  {
    row: "A34",
    cases: /^routes: (table|table above 255|priority, table and scope|all fields, version .*)$/,
    steps: /^CHECK$/,
    reference: /^Expected Route \{.* Table:\d+ .*\} not found in routing table$/,
  },
  {
    row: "A34",
    cases: /^routes: one destination, two gateways, IPv6$/,
    steps: /^CHECK$/,
    reference: /^Expected Route \{.* GW:fd00:10::7 .*\} not found in routing table$/,
  },
  {
    row: "A32",
    cases: /^(CHECK: bridge promiscuous|existing: promiscuous bridge)$/,
    steps: /^CHECK$/,
    reference: /^Bridge interface cni0 configured Promisc Mode false doesn't match current state: true $/,
  },
  {
    row: "A32",
    cases: /^CHECK: prevResult with the MAC in capitals$/,
    steps: /^CHECK$/,
    reference: /^Interface eth0 Mac .* doesn't match container Mac: /,
  },
  {
    row: "A32",
    cases: /^CHECK: prevResult without the bridge$/,
    steps: /^CHECK$/,
    reference: /^Interface name missing $/,
  },
  {
    row: "A32",
    cases: /^CHECK: host end renamed$/,
    steps: /^CHECK$/,
    reference: /^Interface name .* not found$/,
  },
  ...(
    [
      ["host end down", /^host interface veth.* is down/],
      ["bridge down", /^bridge cni0 is down/],
      ["hairpin lost", /^hairpin mode of bridge port veth.* is off/],
      ["isolation lost", /^port isolation of bridge port veth.* is off/],
      ["mtu lost", /^interface veth.* has mtu 1300 instead of 1400$/],
      ["gateway address lost", /^gateway address 10\.10\.0\.1\/16 is missing on cni0/],
      ["gateway address lost, IPv6", /^gateway address fd00:10::1\/64 is missing on cni0/],
      ["iptables masquerade lost", /^masquerade rules of container "id-c1" .* are missing or altered/],
      ["nftables masquerade lost", /^masquerade rules of container "id-c1" .* are missing or altered/],
      [
        "iptables masquerade without its jump",
        /^masquerade rules of container "id-c1" .* are missing or altered/,
      ],
      ["spoof check lost", /^the spoof check of "veth.*" for container "id-c1" .* is missing or altered/],
    ] as const
  ).map(
    ([mutation, ours]): Outcome => ({
      row: "G17",
      because: `CHECK names the loss: ${mutation}`,
      cases: new RegExp(`^CHECK: ${mutation}$`),
      steps: /^CHECK$/,

      ours,
    }),
  ),
  // STATUS
  {
    row: "G2",
    cases: /^STATUS: bridge's name taken$/,
    steps: /^STATUS$/,
    ours: /^"cni0" already exists but is not a bridge: it is of kind "veth"/,
  },
  {
    row: "G2",
    cases: /^(STATUS: (hairpin and promiscuous mode|wrong vlan|wrong type of a key)|bad configuration: )/,
    steps: /^STATUS/,
    ours: /^(cannot set hairpin|invalid (vlan|mtu|MAC)|bridge ".*" is not a valid interface name|mtu: \d+ is too small for |minID|cannot decode: key)/,
  },
  {
    row: "L1",
    cases: /^STATUS: (wrong range|no ranges)$/,
    steps: /^STATUS$/,
    ours: /^(invalid range set 0: |no IP ranges specified)/,
  },
  {
    row: "L1",
    cases: /^STATUS: range exhausted$/,
    steps: /^STATUS, strict$/,
    ours: /^no IP addresses available in range set 0 \(.*\): \d of \d held in /,
  },
  // GC
  {
    row: "A39",
    cases: /^(GC: list absent|missing variables: (bridge|host-local|tuning) GC|wrong variables: bridge GC)$/,
    steps: /./,
    ours: /^cannot collect garbage in network "net": "cni\.dev\/valid-attachments" is absent/,
  },
  // ADD
  {
    row: "A8",
    cases: /^CNI_NETNS: the plugin's own(, not permitted with yes)?$/,
    steps: /^loopback (ADD|DEL)$/,
    ours: /^plugin's netns and netns from CNI_NETNS should not be the same/,
  },
  {
    row: "L11",
    cases: /^(host-local: only the broadcast address|host-local, wrong: start beyond the default end)$/,
    steps: /^ADD/,
    ours: /no IP addresses available in range set: 10\.10\.0\.255-10\.10\.0\.255/,
  },
  {
    row: "L11",
    cases: /^(host-local: only the broadcast address|host-local, wrong: start beyond the default end)$/,
    steps: /^CHECK/,
    ours: /^host-local: Failed to find address added by container id-c1/,
  },
  {
    row: "A14",
    cases: /^host-local, wrong: a route without dst$/,
    steps: /^(ADD|CHECK) no dst$/,
    ours: /^ipam\.routes\[0\]\.dst: missing; it must be /,
  },
  {
    row: "B8",
    cases: /^bad configuration: ipMasqBackend unknown, no ipMasq$/,
    steps: /^ADD unknown$/,
    ours: /^invalid ipMasqBackend "ebpf"/,
  },
  {
    row: "P4",
    cases: /^(loopback: wrong types|host-local, wrong: type)$/,
    steps: /^((dns|ipam) is text|(ADD|CHECK|DEL) type a number)$/,
    reference:
      /^(failed to parse network config: )?json: cannot unmarshal (string|number) into Go struct field \S+ of type \S+$/,
  },
  {
    row: "P5",
    cases: /^bad configuration: (bridge|ipMasqBackend) empty$/,
    steps: /^ADD empty$/,
    reference:
      /^(failed to create bridge "": could not add "": LinkAttrs.Name cannot be empty|unknown ipmasq backend "")$/,
  },
  // static
  {
    row: "S1",
    cases: /^static: STATUS and GC$/,
    steps: /^STATUS, wrong$/,
    ours: /^the 'address' field is expected to be in CIDR notation, got: '10\.10\.0\.5'$/,
  },
  {
    row: "S4",
    cases: /^static: addresses that no interface can have$/,
    steps: /./,
    ours: /^(ipam\.addresses\[\d\]\.address: \S+ (is|has) |the 'address' field is expected to be in CIDR notation, got: '::ffff:)/,
  },
  {
    row: "S8",
    cases: /^static: CHECK$/,
    steps: /^(an address is missing|another prefix length)$/,
    ours: /^static: Failed to match addr \S+ on interface eth0: prevResult (does not have|has \S+ instead of) /,
  },
  { row: "P6", cases: /^bad configuration: mtu below 0$/, steps: /^ADD below 0$/, ours: /^invalid mtu -1 / },
];

export const OUTCOMES: readonly Deviation[] = OUTCOME_LIST.flatMap(factsOf);
