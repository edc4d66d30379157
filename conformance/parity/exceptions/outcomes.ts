/** Calls that end otherwise than the reference's: one side fails where the other succeeds. */

import type { ComparedStep } from "../comparison.ts";
import type { Exception } from "../exceptions.ts";
import { ABSENT, at, type Side } from "../tree.ts";

/** How a side ends: without an error, or with one that says this. */
type End = "ok" | RegExp;

interface Outcome {
  readonly row: string;
  readonly because: string;
  readonly cases: RegExp;
  /** Labels of the steps. */
  readonly steps: RegExp;
  readonly reference: End;
  readonly ours: End;
}

const isEnd = (end: End, side: Side): boolean =>
  end === "ok" ? side === ABSENT : end.test(String(at(side, "message")));

/** The facts that tell how a call ended. */
function outcome({ row, because, cases, steps, reference, ours }: Outcome): Exception[] {
  const when = ({ parityCase, step, ...sides }: ComparedStep): boolean =>
    cases.test(parityCase.name) &&
    steps.test(step.label) &&
    isEnd(reference, at(sides.reference, "error")) &&
    isEnd(ours, at(sides.ours, "error"));
  const shared = { row, because, when };
  const result = (end: End) => (side: Side) => (end === "ok") === (side !== ABSENT);
  return [
    { ...shared, path: "exit", reference: reference === "ok" ? 0 : 1, ours: ours === "ok" ? 0 : 1 },
    {
      ...shared,
      path: "error",
      reference: (side) => isEnd(reference, side),
      ours: (side) => isEnd(ours, side),
    },
    { ...shared, path: "stdout", reference: result(reference), ours: result(ours) },
  ];
}

/** Texts of the reference for a configuration that it can't read. */
const WRONG_CONFIGURATION =
  /cannot unmarshal|^invalid (VLAN|range set|CIDR|IP|character)|invalid IP address|^minID|^incorrect trunk|^range set|^no IP ranges|^ARGS: |IPAM config missing|^IPNet|^CNI version|^cannot understand ip|overlap/;

const OUTCOME_LIST: readonly Outcome[] = [
  // DEL
  {
    row: "L9",
    because: "host-local's DEL releases whatever the configuration says of ranges and requests now",
    cases: /^(host-local[:,]|version 0\.[12]\.0, two addresses of IPv6$|DEL with(out| wrong) ranges$)/,
    steps: /^DEL/,
    reference: WRONG_CONFIGURATION,
    ours: "ok",
  },
  {
    row: "A31",
    because: "bridge's DEL cleans up whatever the keys say now that it does not need",
    cases: /^(bad configuration: |unknown CNI_ARGS|CNI_ARGS )/,
    steps: /^DEL/,
    reference: WRONG_CONFIGURATION,
    ours: "ok",
  },
  {
    row: "G15",
    because: "a path that leads to no namespace is one that is gone",
    cases: /^(DEL( without ADD)?: (.*path |plain file)|CNI_NETNS: |loopback: DEL without namespace$)/,
    steps: /DEL|^plain file$/,
    reference: /unknown FS magic on |failed to Statfs ".*": not a directory|error switching to ns /,
    ours: "ok",
  },
  {
    row: "G27",
    because:
      "chain and rules go in one transaction: the reference's chain is still in use when it deletes it",
    cases: /^ipMasq, (default backend|iptables), two addresses of a family$/,
    steps: /^DEL( again)?$/,
    reference: /CHAIN_DEL failed \(Device or resource busy\)/,
    ours: "ok",
  },
  {
    row: "G16",
    because: "DEL of one interface does not touch the chain of the other",
    cases: /^masquerade of three attachments, (default backend|iptables)$/,
    steps: /^DEL c1$/,
    reference: /CHAIN_DEL failed \(Device or resource busy\)/,
    ours: "ok",
  },
  // CHECK
  {
    row: "K25",
    because: "an address that another may be given is a loss, also beside one that is held",
    cases: /^CHECK: (one )?lease deleted$/,
    steps: /^CHECK$/,
    reference: "ok",
    ours: /^host-local: Failed to find address added by container \S+: no lease of its interface eth0 for 10\.10\.0\.2 is in /,
  },
  {
    row: "G12",
    because: "CHECK of a network without IPAM works",
    cases: /layer 2|^macspoofchk, disableContainerInterface$/,
    steps: /^CHECK/,
    reference: /^no plugin name provided$/,
    ours: "ok",
  },
  {
    row: "A34",
    because: "CHECK finds a route in its own table",
    cases: /^routes: (table|table above 255|priority, table and scope|all fields, version .*)$/,
    steps: /^CHECK$/,
    reference: /^Expected Route \{.* Table:\d+ .*\} not found in routing table$/,
    ours: "ok",
  },
  {
    row: "A34",
    because: "CHECK finds a route of IPv6 among the ways that the kernel has joined to one route",
    cases: /^routes: one destination, two gateways, IPv6$/,
    steps: /^CHECK$/,
    reference: /^Expected Route \{.* GW:fd00:10::7 .*\} not found in routing table$/,
    ours: "ok",
  },
  {
    row: "A32",
    because: "more promiscuous than asked for is another's wish, and right after ADD it is nobody's loss",
    cases: /^(CHECK: bridge promiscuous|existing: promiscuous bridge)$/,
    steps: /^CHECK$/,
    reference: /^Bridge interface cni0 configured Promisc Mode false doesn't match current state: true $/,
    ours: "ok",
  },
  {
    row: "A32",
    because: "a hardware address is the same in capitals",
    cases: /^CHECK: prevResult with the MAC in capitals$/,
    steps: /^CHECK$/,
    reference: /^Interface eth0 Mac .* doesn't match container Mac: /,
    ours: "ok",
  },
  {
    row: "A32",
    because: "the bridge is known from the configuration",
    cases: /^CHECK: prevResult without the bridge$/,
    steps: /^CHECK$/,
    reference: /^Interface name missing $/,
    ours: "ok",
  },
  {
    row: "A32",
    because: "the host's end is the container's other end, whatever it is called now",
    cases: /^CHECK: host end renamed$/,
    steps: /^CHECK$/,
    reference: /^Interface name .* not found$/,
    ours: "ok",
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
      ["iptables masquerade lost", /^masquerade rules of container "id-c1" .* are lost or altered/],
      ["nftables masquerade lost", /^masquerade rules of container "id-c1" .* are lost or altered/],
      [
        "iptables masquerade without its jump",
        /^masquerade rules of container "id-c1" .* are lost or altered/,
      ],
      ["spoof check lost", /^the spoof check of "veth.*" for container "id-c1" .* is lost or altered/],
    ] as const
  ).map(
    ([mutation, ours]): Outcome => ({
      row: "G17",
      because: `CHECK names the loss: ${mutation}`,
      cases: new RegExp(`^CHECK: ${mutation}$`),
      steps: /^CHECK$/,
      reference: "ok",
      ours,
    }),
  ),
  // STATUS
  {
    row: "G2",
    because: "STATUS says that the bridge's name is taken",
    cases: /^STATUS: bridge's name taken$/,
    steps: /^STATUS$/,
    reference: "ok",
    ours: /^"cni0" already exists but is not a bridge: it is of kind "veth"/,
  },
  {
    row: "G2",
    because: "STATUS refuses a configuration that ADD would refuse",
    cases: /^(STATUS: (hairpin and promiscuous mode|wrong vlan|wrong type of a key)|bad configuration: )/,
    steps: /^STATUS/,
    reference: "ok",
    ours: /^(cannot set hairpin|invalid (VLAN ID|mtu|MAC)|bridge ".*" is not a valid interface name|mtu: \d+ is too small for |minID|incorrect trunk|cannot decode: key)/,
  },
  {
    row: "L1",
    because: "host-local's STATUS refuses wrong ranges",
    cases: /^STATUS: (wrong range|no ranges)$/,
    steps: /^STATUS$/,
    reference: "ok",
    ours: /^(invalid range set 0: |no IP ranges specified)/,
  },
  {
    row: "L1",
    because: "STATUS says that a range is exhausted, if it is asked to",
    cases: /^STATUS: range exhausted$/,
    steps: /^STATUS, strict$/,
    reference: "ok",
    ours: /^no IP addresses available in range set 0 \(.*\): \d of \d held in /,
  },
  // GC
  {
    row: "A39",
    because: "GC without a list deletes nothing",
    cases: /^(GC: list absent|missing variables: (bridge|host-local) GC|wrong variables: bridge GC)$/,
    steps: /./,
    reference: "ok",
    ours: /^cannot collect garbage in network "parity": "cni\.dev\/valid-attachments" is absent/,
  },
  // ADD
  {
    row: "A8",
    because: "the plugin's own namespace is refused before anything is touched",
    cases: /^CNI_NETNS: the plugin's own(, not permitted with yes)?$/,
    steps: /^loopback (ADD|DEL)$/,
    reference: "ok",
    ours: /^plugin's netns and netns from CNI_NETNS should not be the same/,
  },
  {
    row: "L11",
    because: "a broadcast address is never handed out",
    cases: /^(host-local: only the broadcast address|host-local, wrong: start beyond the default end)$/,
    steps: /^ADD/,
    reference: "ok",
    ours: /no IP addresses available in range set: 10\.10\.0\.255-10\.10\.0\.255/,
  },
  {
    row: "L11",
    because: "there is no lease of a broadcast address",
    cases: /^(host-local: only the broadcast address|host-local, wrong: start beyond the default end)$/,
    steps: /^CHECK/,
    reference: "ok",
    ours: /^host-local: Failed to find address added by container id-c1/,
  },
  {
    row: "A14",
    because: 'a route without destination is refused: the reference prints one to "<nil>"',
    cases: /^host-local, wrong: a route without dst$/,
    steps: /^(ADD|CHECK) no dst$/,
    reference: "ok",
    ours: /^ipam\.routes\[0\]\.dst: invalid CIDR address: missing$/,
  },
  {
    row: "B8",
    because: "ipMasqBackend is checked even where it is not used",
    cases: /^bad configuration: ipMasqBackend unknown, no ipMasq$/,
    steps: /^ADD unknown$/,
    reference: "ok",
    ours: /^unknown ipmasq backend "ebpf"/,
  },
  {
    row: "P4",
    because: "a key that the plugin does not read is not judged",
    cases: /^(loopback: wrong types|host-local, wrong: type)$/,
    steps: /^((dns|ipam) is text|(ADD|CHECK|DEL) type a number)$/,
    reference:
      /^(failed to parse network config: )?json: cannot unmarshal (string|number) into Go struct field \S+ of type \S+$/,
    ours: "ok",
  },
  {
    row: "P5",
    because: 'an empty "bridge" or "ipMasqBackend" is one left out',
    cases: /^bad configuration: (bridge|ipMasqBackend) empty$/,
    steps: /^ADD empty$/,
    reference:
      /^(failed to create bridge "": could not add "": LinkAttrs.Name cannot be empty|unknown ipmasq backend "")$/,
    ours: "ok",
  },
  {
    row: "P6",
    because: "an mtu below 0 is a mistake; the reference takes it for none",
    cases: /^bad configuration: mtu below 0$/,
    steps: /^ADD below 0$/,
    reference: "ok",
    ours: /^invalid mtu -1 /,
  },
];

export const OUTCOMES: readonly Exception[] = OUTCOME_LIST.flatMap(outcome);
