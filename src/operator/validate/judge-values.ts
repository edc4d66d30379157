/**
 * Lets each plugin judge its own configuration, as its ADD and STATUS do before they touch anything: combinations of
 * keys, addresses and routes that the kernel would refuse (rule K19), sysctls that this host does not allow (rule T7).
 */
import { readNetworkConfig } from "../../cni/config.ts";
import { CniError, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { KeyError } from "../../schema/key-error.ts";
import { get } from "../../schema/parse.ts";
import type { Code } from "../finding.ts";
import { inside, isObject, type NetworkFile, type PluginEntry } from "./network-file.ts";
import type { Report } from "./report.ts";

/** What a plugin says about a configuration. It throws what is wrong, and changes nothing. */
type Judge = (request: Request) => unknown;

const JUDGES: Readonly<Record<string, () => Promise<Judge>>> = {
  bridge: async () => {
    const { parseBridgeConfig } = await import("../../plugins/bridge/config.ts");
    const { requireFeasibleConfiguration } = await import("../../plugins/bridge/feasibility.ts");
    return (request) => requireFeasibleConfiguration(request, parseBridgeConfig(request));
  },
  "host-local": async () => {
    const { parseAllocation, parsePlace, rangesComeWithAdd } = await import(
      "../../plugins/host-local/config.ts"
    );
    return (request) => {
      parsePlace(request.config);
      if (!rangesComeWithAdd(request)) parseAllocation(request);
    };
  },
  portmap: async () => (await import("../../plugins/portmap/config.ts")).parsePortmapConfig,
  static: async () => (await import("../../plugins/static/static.ts")).status,
  firewall: async () => (await import("../../plugins/firewall/config.ts")).parseFirewallConfig,
  tuning: async () => (await import("../../plugins/tuning/config.ts")).parseTuning,
};

/** Judges the values of one plugin, and of its IPAM plugin. */
export async function judgeValues(file: NetworkFile, entry: PluginEntry, report: Report): Promise<void> {
  await judgeWith(entry.type, "BH103", file, entry, report);
  if (entry.type === "bridge" && entry.ipam !== undefined)
    await judgeWith(entry.ipam, "BH103", file, entry, report);
}

/** Judges the sysctls of tuning by this host's allowlist. */
export async function judgeSysctls(file: NetworkFile, entry: PluginEntry, report: Report): Promise<void> {
  if (entry.type !== "tuning") return;
  const { parseTuning } = await import("../../plugins/tuning/config.ts");
  const { requireAllowed } = await import("../../plugins/tuning/allowlist.ts");
  await judged("BH151", file, entry, report, async (request) => {
    const { sysctls } = await parseTuning(request);
    if (sysctls.length > 0) requireAllowed(sysctls);
  });
}

async function judgeWith(
  plugin: string,
  code: Code,
  ...rest: [NetworkFile, PluginEntry, Report]
): Promise<void> {
  const load = Object.hasOwn(JUDGES, plugin) ? JUDGES[plugin] : undefined;
  if (load !== undefined) await judged(code, ...rest, await load());
}

/** Lists whose elements a plugin judges one after the other, stopping at the first wrong one. */
const LISTS = ["routes", "addresses"] as const;

/** A wrong element of a list is taken out, and the rest is judged again, so that all wrong ones are found. */
async function judged(
  code: Code,
  file: NetworkFile,
  entry: PluginEntry,
  report: Report,
  judge: Judge,
): Promise<void> {
  const section = get(entry.document, "ipam");
  /** The lists that are left, with the elements' numbers in the file. */
  const lists = new Map(
    LISTS.map((name) => {
      const list = isObject(section) ? get(section, name) : undefined;
      return [name, Array.isArray(list) ? [...list.entries()] : []] as const;
    }),
  );
  let { document } = entry;
  for (;;) {
    const fault = await faultOf(judge, { ...entry, document });
    if (fault === undefined) return;
    const key = keyOf(fault, file, entry);
    const [, name, index, rest] = /^ipam\.(routes|addresses)\[(\d+)\](.*)$/.exec(key) ?? [];
    const list = lists.get(name as (typeof LISTS)[number]);
    const [removed] = list?.splice(Number(index), 1) ?? [];
    add(code, removed === undefined ? key : `ipam.${name}[${removed[0]}]${rest}`, fault, file, entry, report);
    if (removed === undefined || name === undefined || !isObject(section)) return;
    document = {
      ...document,
      ipam: { ...(get(document, "ipam") as object), [name]: list?.map(([, each]) => each) },
    };
  }
}

type Fault = KeyError | CniError;

async function faultOf(judge: Judge, entry: PluginEntry): Promise<Fault | undefined> {
  try {
    await judge(requestFor(entry));
    return undefined;
  } catch (error) {
    if (error instanceof KeyError || error instanceof CniError) return error;
    throw error;
  }
}

function keyOf(fault: Fault, file: NetworkFile, entry: PluginEntry): string {
  if (fault instanceof KeyError) return fault.path;
  // The numbers of elements are those of the lists as they were judged, not those of the file.
  const [listed] =
    /\bipam\.(?:routes|addresses)\[\d+\](?:\.\w+)*/.exec(`${fault.message} ${fault.remark}`) ?? [];
  return listed ?? keyIn(fault.message, fault.remark, file, entry);
}

function add(
  code: Code,
  key: string,
  fault: Fault,
  file: NetworkFile,
  entry: PluginEntry,
  report: Report,
): void {
  const { message, remark } = toCniError(fault);
  const path = inside(entry.at, key);
  // What was found by the table of keys, or by another plugin, is not said twice.
  const isSaid = report.findings.some(
    (each) => each.code !== "BH104" && each.file === file.path && each.key === path && key !== "",
  );
  if (isSaid) return;
  const { problem, remedy } = divided(remark === "" ? message : `${message}: ${remark}`);
  const number = /\[(\d+)\]/.exec(key)?.[1];
  // The message may have the element's number without those that were taken out.
  const said =
    number === undefined ? problem : problem.replace(/^(ipam\.(?:routes|addresses))\[\d+\]/, `$1[${number}]`);
  report.add(code, file, path, said, remedy);
}

/** The first key of the configuration that a message names. The reference's messages begin keys with a capital letter. */
function keyIn(message: string, remark: string, { places }: NetworkFile, { at }: PluginEntry): string {
  for (const [word] of `${message} ${remark}`.matchAll(/[A-Za-z_]\w*(?:\[\d+\])*(?:\.\w+(?:\[\d+\])*)*/g)) {
    const key = word.charAt(0).toLowerCase() + word.slice(1);
    if (places.at.has(inside(at, key).toLowerCase())) return key;
  }
  return "";
}

/** Messages end with the remedy, behind a semicolon or in brackets. */
function divided(message: string): { problem: string; remedy: string } {
  const [, problem = message, bracket, behind] = /^(.*?)(?: \(([^()]*)\)|; ([^;]*))$/s.exec(message) ?? [];
  return { problem, remedy: bracket ?? behind ?? "correct the value" };
}

function requestFor({ document, bytes }: PluginEntry): Request {
  return {
    command: "STATUS",
    network: "",
    containerId: "",
    netns: "",
    ifname: "",
    args: "",
    path: [],
    // The version's own faults are judged elsewhere, and STATUS is not in each of them.
    config: readNetworkConfig({ ...document, cniVersion: "1.1.0" }, "STATUS"),
    stdin: bytes,
    environment: {},
    delegation: {
      isExecutable: () => false,
      builtIn: () => undefined,
      run: () => Promise.reject(new Error("no program is started to judge a configuration")),
    },
    time: { limit: () => {}, beginUndo: () => {}, half: async (step) => step() },
    log: () => {},
  };
}
