/** A case of the specs: calls in a scratch host, and what must come of them. Both sides go through the same ones. */
import type { Bench } from "./bench.ts";
import { RULES, rulesOf } from "./rules.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonRecord = { readonly [key: string]: Json };

export const PLUGINS = ["bridge", "host-local", "loopback"] as const;
export type PluginName = (typeof PLUGINS)[number];

export interface SpecCase {
  /** Begins with the rules that it proves: "A1: …". */
  readonly name: string;
  /** Names of network namespaces, each a container. */
  readonly containers: readonly string[];
  /** Whether the host must be at the end as it was before. */
  readonly still: boolean;
  /** Whether the two sides are compared: not where chance decides who comes first. */
  readonly compared: boolean;
  /** Whether it takes seconds: it is begun first. */
  readonly slow: boolean;
  readonly run: (bench: Bench) => Promise<void>;
}

export type CaseOptions = Partial<Pick<SpecCase, "containers" | "still" | "compared" | "slow">>;

export function spec(name: string, options: CaseOptions, run: SpecCase["run"]): SpecCase {
  const rules = rulesOf(name);
  if (rules.length === 0 || !rules.every((rule) => RULES.includes(rule)))
    throw new Error(`the case ${JSON.stringify(name)} names no rule of the specs`);
  return { name, containers: ["c1"], still: false, compared: true, slow: false, ...options, run };
}

/** The same case for each plugin, whose name stands behind the case's. */
export const ofEach = (
  plugins: readonly PluginName[],
  name: string,
  options: CaseOptions,
  run: (bench: Bench, plugin: PluginName) => Promise<void>,
): SpecCase[] => plugins.map((plugin) => spec(`${name} (${plugin})`, options, (bench) => run(bench, plugin)));

export const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export const LATEST = "1.1.0";

/** Where both sides find their plugins. */
export const PLUGIN_PATH = "/run/spec/bin";
/** Where a case may keep files. */
export const FILES = "/run/spec/files";

export const netnsPath = (container: string): string => `/run/netns/${container}`;

export const SUBNET = "10.10.0.0/24";
export const SUBNET6 = "fd00:10::/64";

/** An ipam section of host-local with one range set a subnet. */
export const hostLocal = (subnets: readonly string[] = [SUBNET], keys: JsonRecord = {}): JsonRecord => ({
  type: "host-local",
  ranges: subnets.map((subnet) => [{ subnet }]),
  ...keys,
});

/** A configuration that every plugin accepts; `keys` are added or replace. */
export const network = (keys: JsonRecord = {}): JsonRecord => ({
  cniVersion: LATEST,
  name: "spec",
  type: "bridge",
  bridge: "cni0",
  isGateway: true,
  ipam: hostLocal(),
  ...keys,
});

/** The same without addresses. */
export const layer2 = (keys: JsonRecord = {}): JsonRecord => ({
  cniVersion: LATEST,
  name: "spec",
  type: "bridge",
  bridge: "cni0",
  ...keys,
});

export const VALID = "cni.dev/valid-attachments";

/** As libcni calls GC and STATUS: no attachment. */
export const BARE = { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined } as const;

/** Options of such a call with its label; `more` are further variables. */
export const bare = (label: string, more: Readonly<Record<string, string>> = {}) => ({
  label,
  env: { ...BARE, ...more },
});
