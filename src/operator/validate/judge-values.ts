/**
 * Lets each plugin judge its own configuration, as its ADD and STATUS do before they touch anything: combinations of
 * keys, addresses and routes that the kernel would refuse (rule K19), sysctls that this host does not allow (rule T7).
 */
import { readNetworkConfig } from "../../cni/config.ts";
import { CniError, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { KeyError } from "../../schema/key-error.ts";
import type { Code } from "../finding.ts";
import { inside, type NetworkFile, type PluginEntry } from "./network-file.ts";
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

async function judged(
  code: Code,
  file: NetworkFile,
  entry: PluginEntry,
  report: Report,
  judge: Judge,
): Promise<void> {
  try {
    await judge(requestFor(entry));
  } catch (error) {
    if (!(error instanceof KeyError) && !(error instanceof CniError)) throw error;
    const { message, remark } = toCniError(error);
    const key = error instanceof KeyError ? error.path : keyIn(message, remark, file, entry);
    // What was found by the table of keys is not said twice.
    const path = inside(entry.at, key);
    if (
      report.findings.some(
        (each) => each.code !== "BH104" && each.file === file.path && each.key === path && key !== "",
      )
    )
      return;
    const { problem, remedy } = divided(remark === "" ? message : `${message}: ${remark}`);
    report.add(code, file, path, problem, remedy);
  }
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
