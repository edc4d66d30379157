/** A case of the differential run: a scratch host, and steps that both sides go through in it. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonRecord = { readonly [key: string]: Json };

export type Plugin = "bridge" | "host-local" | "loopback";

/** One call of a plugin. */
export interface Call {
  readonly kind: "call";
  /** Unique in its case. */
  readonly label: string;
  readonly plugin: Plugin;
  /** CNI_COMMAND; undefined leaves the variable out. */
  readonly command: string | undefined;
  /** Standard input: a configuration, or text as it is. */
  readonly stdin: JsonRecord | string;
  /** On top of the customary variables; undefined leaves a variable out. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The result of the step with this label becomes the configuration's prevResult. */
  readonly resultOf: string | undefined;
  /** Changes that result first. */
  readonly edit: ((result: Record<string, unknown>) => void) | undefined;
  /** Whether what is said on stderr is compared. */
  readonly comparesStderr: boolean;
}

/** Something else happens to the scratch host: a shell script. What it prints is compared. */
export interface Change {
  readonly kind: "change";
  readonly label: string;
  readonly script: string;
}

export type Step = Call | Change;

export interface ParityCase {
  readonly name: string;
  /** Names of network namespaces, each a container. */
  readonly containers: readonly string[];
  readonly steps: readonly Step[];
  /**
   * When the state is taken: after each step, or only after the last one, for long rows of calls that must change
   * nothing.
   */
  readonly stateAfter: "each" | "last";
}

/** Where a container's namespace is. */
export const netnsPath = (container: string): string => `/run/netns/${container}`;

/** Where both sides find their plugins. */
export const PLUGIN_PATH = "/run/parity/bin";

/** Where cases may keep files of their own. */
export const FILES = "/run/parity/files";

/** A shell command that runs inside of a container. */
export const inside = (container: string, command: string): string =>
  `nsenter --net=${netnsPath(container)} -- /bin/sh -c ${quoted(command)}`;

/** Waits until no pair is left whose end in a deleted namespace is on its way out. */
const UNTIL_GONE = "for i in $(seq 300); do ip -o link show type veth | grep -q . || break; sleep 0.01; done";

/** Deletes a container's namespace, and with it both ends of its pair. */
export const deleteNamespace = (container: string): string => `ip netns del ${container}; ${UNTIL_GONE}`;

/** The same, but the path stays: as a plain file. */
export const unmountNamespace = (container: string): string =>
  `umount -l ${netnsPath(container)}; ${UNTIL_GONE}`;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export type CallOptions = Partial<Omit<Call, "kind" | "stdin" | "command">> & {
  readonly container?: string;
  readonly id?: string;
  readonly ifname?: string;
};

/** A call with the customary variables for `container` (default c1), container id and interface name. */
export function call(
  command: string | undefined,
  stdin: JsonRecord | string,
  options: CallOptions = {},
): Call {
  const { container = "c1", id = `id-${container}`, ifname = "eth0", env = {}, ...rest } = options;
  return {
    kind: "call",
    label: command ?? "about",
    plugin: "bridge",
    command,
    stdin,
    resultOf: undefined,
    edit: undefined,
    comparesStderr: false,
    ...rest,
    env: {
      CNI_CONTAINERID: id,
      CNI_NETNS: netnsPath(container),
      CNI_IFNAME: ifname,
      CNI_PATH: PLUGIN_PATH,
      ...env,
    },
  };
}

export const change = (label: string, script: string): Change => ({ kind: "change", label, script });

export function parityCase(
  name: string,
  steps: readonly Step[],
  { containers = ["c1"], stateAfter = "each" }: Partial<Pick<ParityCase, "containers" | "stateAfter">> = {},
): ParityCase {
  const labels = steps.map((step) => step.label);
  const twice = labels.find((label, index) => labels.indexOf(label) !== index);
  if (twice !== undefined) throw new Error(`case ${JSON.stringify(name)} has two steps "${twice}"`);
  return { name, containers, steps, stateAfter };
}

/** A container's life: ADD, CHECK, DEL and a second DEL, each with the result of ADD as runtimes give it. */
export function life(
  name: string,
  config: JsonRecord,
  options: CallOptions & { before?: readonly Step[] } = {},
): ParityCase {
  const { before = [], ...rest } = options;
  const withResult = { ...rest, resultOf: "ADD" };
  const steps = [
    ...before,
    call("ADD", config, rest),
    call("CHECK", config, withResult),
    call("DEL", config, withResult),
    call("DEL", config, { ...withResult, label: "DEL again" }),
  ];
  return parityCase(name, steps);
}

export const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export const LATEST = "1.1.0";

/** A configuration of the bridge plugin; `keys` are added or replace. */
export const bridgeConfig = (keys: JsonRecord = {}): JsonRecord => ({
  cniVersion: LATEST,
  name: "parity",
  type: "bridge",
  bridge: "cni0",
  ...keys,
});

/** An ipam section of host-local. */
export const hostLocal = (keys: JsonRecord): JsonRecord => ({ type: "host-local", ...keys });

/** One range set of one subnet each. */
export const ranges = (...subnets: readonly string[]): JsonRecord => ({
  ranges: subnets.map((subnet) => [{ subnet }]),
});

export const IPV4 = hostLocal(ranges("10.10.0.0/16"));
export const IPV6 = hostLocal(ranges("fd00:10::/64"));
export const DUAL = hostLocal(ranges("10.10.0.0/16", "fd00:10::/64"));
