/** firewall behind a plugin that has attached containers to a bridge. */
import { change, stepsCase } from "../../engine/case.ts";
import { BARE, type JsonRecord, netnsPath, VALID, VERSIONS } from "../../engine/network.ts";
import {
  attached,
  caller,
  chained,
  chainedLife,
  chainedLoss,
  chainedWrong,
  FAMILIES_OF,
  type Options,
  previous,
} from "../chained.ts";

const on = caller("firewall");
/** Without the rule that the reference does not have (F32), so that the order of all rules is compared. */
const PLAIN = { backend: "iptables", acceptPublished: false };
const POLICIES = ["open", "same-bridge", "isolated"] as const;

const life = (name: string, keys: JsonRecord, options: Parameters<typeof chainedLife>[3] = {}) =>
  chainedLife(`firewall: ${name}`, on, { ...PLAIN, ...keys }, options);

const lose = (name: string, script: string, keys: JsonRecord = {}) =>
  chainedLoss(`firewall, CHECK: ${name}`, on, { ...PLAIN, ...keys }, script);

const ADMIN = change(
  "rules of an administrator",
  `iptables -N CNI-ADMIN; iptables -A CNI-ADMIN -s 192.0.2.9 -j DROP; iptables -P FORWARD DROP
iptables -A FORWARD -i other0 -m comment --comment "somebody else's" -j ACCEPT`,
);

/** Two containers of a bridge, and DEL of one after the other. */
const neighbours = (policy: string) => {
  const other = caller("firewall", { container: "c2" });
  const keys = { ...PLAIN, ingressPolicy: policy };
  return chained(
    `firewall: two containers, ${policy}`,
    [
      attached("c1", "c2"),
      on("ADD", keys),
      other("ADD", keys, { label: "ADD c2" }),
      on("DEL", keys),
      other("CHECK", keys, { label: "CHECK c2" }),
      other("DEL", keys, { label: "DEL c2" }),
    ],
    ["c1", "c2"],
  );
};

/** ADD with the one configuration, DEL with the other. */
const changed = (name: string, before: JsonRecord, after: JsonRecord, options: Options = {}) =>
  chained(`firewall: ${name}`, [
    attached("c1"),
    on("ADD", { ...PLAIN, ...before }),
    on("DEL", { ...PLAIN, ...after }, options),
  ]);

const MORE_ADDRESSES = (...indexes: readonly (number | undefined)[]): JsonRecord => ({
  prevResult: {
    ...previous("1.1.0"),
    ips: indexes.map((index, place) => ({
      address: `10.10.0.${place + 2}/24`,
      ...(index !== undefined && { interface: index }),
    })),
  },
});

const ofInterfaces = (...interfaces: readonly JsonRecord[]): JsonRecord => ({
  prevResult: { ...previous("1.1.0"), interfaces },
});

export const FIREWALL = [
  ...VERSIONS.map((cniVersion) =>
    stepsCase(
      `firewall: version ${cniVersion}`,
      [attached("c1"), ...["ADD", "CHECK", "DEL"].map((command) => on(command, { ...PLAIN, cniVersion }))],
      { stateAfter: "last" },
    ),
  ),
  ...POLICIES.flatMap((ingressPolicy) =>
    Object.entries(FAMILIES_OF).map(([family, families]) =>
      chainedLife(`firewall: ${ingressPolicy}, ${family}`, caller("firewall", { families }), {
        ...PLAIN,
        ingressPolicy,
      }),
    ),
  ),
  life("no policy, no backend, published connections", { backend: "", acceptPublished: true }),
  life("same-bridge, published connections", { ingressPolicy: "same-bridge", acceptPublished: true }),
  life("own chain of the administrator", { iptablesAdminChainName: "NOMAD-ADMIN" }),
  life("own chain of 28 characters", { iptablesAdminChainName: `A${"b".repeat(27)}` }),
  life("beside the rules of an administrator", { ingressPolicy: "same-bridge" }, { before: [ADMIN] }),
  life("two addresses of a family", MORE_ADDRESSES(2, 2)),
  life("an address without an interface, one of no interface", MORE_ADDRESSES(undefined, 7)),
  life("no address", MORE_ADDRESSES()),
  life("an address of another interface", MORE_ADDRESSES(2, 0)),
  life("no interfaces", ofInterfaces()),
  ...POLICIES.map(neighbours),
  chained("firewall: ADD twice", [
    attached("c1"),
    on("ADD", { ...PLAIN, ingressPolicy: "isolated" }),
    on("ADD", { ...PLAIN, ingressPolicy: "isolated" }, { label: "ADD again" }),
  ]),
  chained("firewall: another policy", [
    attached("c1"),
    on("ADD", { ...PLAIN, ingressPolicy: "isolated" }),
    on("ADD", { ...PLAIN, ingressPolicy: "same-bridge" }, { label: "ADD again" }),
  ]),
  changed("DEL without prevResult", {}, { prevResult: null }),
  changed("DEL without namespace", {}, {}, { env: { CNI_NETNS: "" } }),
  changed("DEL with an unknown policy", {}, { ingressPolicy: "zz" }),
  chained("firewall: STATUS and GC", [
    attached("c1"),
    on("STATUS", { ...PLAIN, prevResult: null }, { env: BARE }),
    on("ADD", PLAIN),
    on(
      "GC",
      { ...PLAIN, prevResult: null, [VALID]: [{ containerID: "id-c1", ifname: "eth0" }] },
      { env: BARE, label: "GC, valid" },
    ),
    on(
      "GC",
      { ...PLAIN, prevResult: null, [VALID]: [{ containerID: "id-c2", ifname: "eth0" }] },
      { env: BARE },
    ),
  ]),
  lose("no jump of FORWARD", "iptables -F FORWARD"),
  lose("no jump to the administrator's chain", "iptables -D CNI-FORWARD 1"),
  lose("no accept of the container's own", "iptables -D CNI-FORWARD -s 10.10.0.2/32 -j ACCEPT"),
  lose("no accept of answers", "iptables -D CNI-FORWARD 2"),
  lose("IPv6 is lost", "ip6tables -F CNI-FORWARD"),
  lose("no isolation", "iptables -F CNI-ISOLATION-STAGE-1", { ingressPolicy: "same-bridge" }),
  stepsCase("firewall, CHECK: nothing was added", [attached("c1"), on("CHECK", PLAIN)]),
  chainedWrong(
    "firewall, wrong: keys",
    on,
    {
      "backend a number": { backend: 5 },
      "ingressPolicy a number": { ...PLAIN, ingressPolicy: 5 },
      "administrator's chain a number": { ...PLAIN, iptablesAdminChainName: 5 },
      "firewalldZone a number": { ...PLAIN, firewalldZone: 5 },
      "no firewalld": { backend: "firewalld" },
    },
    ["ADD", "CHECK", "DEL"],
  ),
  chainedWrong("firewall, wrong: administrator's chain", on, {
    "29 characters": { ...PLAIN, iptablesAdminChainName: "a".repeat(29) },
  }),
  // What the reference sees when it has made rules (F35).
  ...Object.entries({
    "unknown policy": { ingressPolicy: "zz" },
    "a policy, no interfaces": { ingressPolicy: "same-bridge", ...ofInterfaces() },
  }).map(([name, keys]) =>
    stepsCase(`firewall, wrong: ${name}`, [attached("c1"), on("ADD", { ...PLAIN, ...keys })]),
  ),
  // What the reference takes unseen.
  ...Object.entries({
    "misspelt backend": { ...PLAIN, backend: "iptable" },
    "a policy, a port is the first interface": {
      ...PLAIN,
      ingressPolicy: "same-bridge",
      ...ofInterfaces({ name: "port2" }, { name: "eth0", sandbox: netnsPath("c1") }),
    },
  }).map(([name, keys]) => stepsCase(`firewall, wrong: ${name}`, [attached("c1"), on("ADD", keys)])),
  chainedWrong(
    "firewall, wrong: prevResult",
    on,
    {
      missing: { ...PLAIN, prevResult: null },
      "no result": { ...PLAIN, prevResult: "x" },
      "an address that is none": { ...PLAIN, prevResult: { cniVersion: "1.1.0", ips: [{ address: "x" }] } },
    },
    ["ADD", "CHECK", "DEL"],
  ),
];
