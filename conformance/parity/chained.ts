/** What the cases of portmap and firewall have in common: attachments that an earlier plugin has made. */
import { type CallStep, call, change, type Step, stepsCase } from "../engine/case.ts";
import { inside, type JsonRecord, LATEST, netnsPath, type PluginName } from "../engine/network.ts";

export type Options = CallStep["options"];

/** Names of containers in order: each has the addresses of its place, from 2 on. */
const CONTAINERS: readonly string[] = ["c1", "c2", "c3"];

/** 10.10.0.2 and fd00:10::2 are those of c1. */
const placeOf = (container: string): number => CONTAINERS.indexOf(container) + 2;

const BRIDGE = `ip link add cni0 address 02:00:5e:00:00:01 type bridge
ip addr add 10.10.0.1/24 dev cni0; ip addr add fd00:10::1/64 dev cni0 nodad; ip link set cni0 up`;

/** A container's interface, and its port of the bridge. */
const attach = (container: string, ifname: string, place: number): string =>
  `ip link add port${place} address 02:00:5e:00:01:0${place} type veth peer name ${ifname} address 02:00:5e:00:02:0${place} netns ${container}
ip link set port${place} master cni0 up
${inside(container, `ip addr add 10.10.0.${place}/24 dev ${ifname}; ip addr add fd00:10::${place}/64 dev ${ifname} nodad; ip link set ${ifname} up`)}`;

/** The bridge, and c1 with its neighbours, if there are any, on it. */
export const attached = (...containers: readonly string[]): Step =>
  change("attach", [BRIDGE, ...containers.map((name) => attach(name, "eth0", placeOf(name)))].join("\n"));

/** A further interface of c1, which has the addresses of the place 5. */
export const FURTHER = { ifname: "net1", place: 5 } as const;
export const attachedTwice: Step = change(
  "attach",
  [BRIDGE, attach("c1", "eth0", 2), attach("c1", FURTHER.ifname, FURTHER.place)].join("\n"),
);

export const FAMILIES_OF = { IPv4: [4], IPv6: [6], "dual-stack": [4, 6] } as const;
type Families = readonly (4 | 6)[];

interface Where {
  readonly container?: string;
  readonly ifname?: string;
  readonly place?: number;
  readonly families?: Families;
}

/** The earlier plugin's result, in each version. */
export function previous(cniVersion: string, where: Where = {}): JsonRecord {
  const { container = "c1", ifname = "eth0", place = placeOf(container), families = [4, 6] } = where;
  const addressOf = (family: 4 | 6) => (family === 4 ? `10.10.0.${place}/24` : `fd00:10::${place}/64`);
  const gatewayOf = (family: 4 | 6) => (family === 4 ? "10.10.0.1" : "fd00:10::1");
  if (/^0\.[12]/.test(cniVersion))
    return {
      cniVersion,
      ...Object.fromEntries(families.map((family) => [`ip${family}`, { ip: addressOf(family) }])),
    };
  return {
    cniVersion,
    interfaces: [
      { name: "cni0", mac: "02:00:5e:00:00:01" },
      { name: `port${place}`, mac: `02:00:5e:00:01:0${place}` },
      { name: ifname, mac: `02:00:5e:00:02:0${place}`, sandbox: netnsPath(container) },
    ],
    ips: families.map((family) => ({
      ...(cniVersion.startsWith("0") && { version: String(family) }),
      interface: 2,
      address: addressOf(family),
      gateway: gatewayOf(family),
    })),
    routes: [{ dst: "0.0.0.0/0" }],
  };
}

/** What calls a chained plugin after `previous`. Keys replace those of the configuration. */
export const caller =
  (plugin: PluginName, where: Where = {}) =>
  (command: string, keys: JsonRecord, options: Options = {}): CallStep => {
    const cniVersion = String(keys.cniVersion ?? LATEST);
    const config = {
      cniVersion,
      name: "net",
      type: plugin,
      prevResult: previous(cniVersion, where),
      ...keys,
    };
    const { container, ifname } = where;
    return call(command, config, {
      plugin,
      label: command,
      ...(container !== undefined && { container }),
      ...(ifname !== undefined && { ifname }),
      ...options,
    });
  };

type On = ReturnType<typeof caller>;

/** ADD, CHECK, DEL and a second DEL of a container on the bridge; `before` comes after it is attached. */
export const chainedLife = (
  name: string,
  on: On,
  keys: JsonRecord,
  { before = [], ...options }: Options & { readonly before?: readonly Step[] } = {},
) =>
  chained(name, [
    attached("c1"),
    ...before,
    on("ADD", keys, options),
    on("CHECK", keys, options),
    on("DEL", keys, options),
    on("DEL", keys, { ...options, label: "DEL again" }),
  ]);

/** Steps whose changes are the same on both sides: only what the calls do is looked at. */
export const chained = (name: string, steps: readonly Step[], containers: readonly string[] = ["c1"]) =>
  stepsCase(name, steps, { containers, stateAfter: "calls" });

/** ADD, a change, CHECK. */
export const chainedLoss = (name: string, on: On, keys: JsonRecord, script: string) =>
  stepsCase(name, [attached("c1"), on("ADD", keys), change("lose it", script), on("CHECK", keys)], {
    stateAfter: "last",
  });

/** Each configuration in its turn, which must change nothing where both sides refuse it. */
export const chainedWrong = (
  name: string,
  on: On,
  table: Readonly<Record<string, JsonRecord>>,
  commands: readonly string[] = ["ADD", "CHECK"],
) =>
  stepsCase(
    name,
    [
      attached("c1"),
      ...Object.entries(table).flatMap(([label, keys]) =>
        commands.map((command) => on(command, keys, { label: `${command} ${label}` })),
      ),
    ],
    { stateAfter: "last" },
  );
