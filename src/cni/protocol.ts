/**
 * One call of a plugin from its environment to its exit code (rules A1–A21): everything around the plugin's own
 * work, without touching the process.
 */
import type { CallTime } from "./call-time.ts";
import { decodeDocument, mostBytes, readNetworkConfig, versionForError } from "./config.ts";
import { type Command, type Environment, type Invocation, readEnvironment } from "./environment.ts";
import { CniError, code, toCniError } from "./error.ts";
import { type Delegation, type Plugin, type Request, runAdd } from "./plugin.ts";
import { formatResult, print } from "./result-format.ts";
import type { Version } from "./version.ts";

/** The process as the protocol sees it, given by main. */
export interface Host {
  readonly environment: Environment;
  /** Standard input to its end, or its first `most` bytes. Called at most once, and never for VERSION (rule A7). */
  readStdin(most: number): Uint8Array;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Whether a path leads to the network namespace of this process; false if nothing is there. */
  isOwnNetns(path: string): boolean;
  readonly delegation: Delegation;
  readonly time: CallTime;
  /** What the machine has to add to a failure with this message, such as a right that is missing. Never throws. */
  explain?(message: string): Promise<string | undefined>;
  /** Whether the bytes of a variable are UTF-8: what isn't reads as U+FFFD, which can be meant as well. */
  isUtf8?(variable: string): Promise<boolean>;
}

/** Runs the command that the environment names. Returns the exit code; never throws. */
export async function runPlugin(plugin: Plugin, host: Host): Promise<number> {
  let stdin: Uint8Array = new Uint8Array();
  let version: Version | undefined;
  try {
    const invocation = readEnvironment(host.environment);
    if (invocation.ifname.includes(REPLACEMENT)) await refuseOtherThanUtf8(host);
    stdin = readStdin(host);
    const request = readRequest(invocation, stdin, host);
    version = request.config.cniVersion;
    if (!invocation.netnsOverride) refuseOwnNetns(request, host);
    if (request.command === "ADD") {
      await runAdd(plugin, request, (result) => host.stdout(formatResult(result, request.config.cniVersion)));
    } else {
      await plugin.run(request.command, request);
    }
    return 0;
  } catch (thrown) {
    reportError(await explained(toCniError(thrown), host), version ?? versionForError(stdin), host);
    return 1;
  }
}

/** The request of a call. @throws KeyError, CniError code 1, 4, 6 or 7 */
export function readRequest(
  { command, containerId, ifname, netns, args, path }: Invocation,
  stdin: Uint8Array,
  { environment, delegation, time, stderr }: Pick<Host, "environment" | "delegation" | "time" | "stderr">,
): Request {
  const config = readNetworkConfig(decodeDocument(stdin), command);
  time.limit(config.callTimeout * 1000);
  return {
    // readNetworkConfig knows no other.
    command: command as Command,
    network: config.name,
    containerId,
    ifname,
    netns,
    args,
    path,
    config,
    stdin,
    environment,
    delegation,
    time,
    log: (line) => stderr(`${line}\n`),
  };
}

/** Standard input, once. @throws CniError code 5 or 6. */
export function readStdin(host: Host): Uint8Array {
  const most = mostBytes(host.environment.CNI_COMMAND);
  let bytes: Uint8Array;
  try {
    bytes = host.readStdin(most + 1);
  } catch (error) {
    throw new CniError(code.io, `error reading from stdin: ${toCniError(error).message}`, "", {
      cause: error,
    });
  }
  if (bytes.length <= most) return bytes;
  throw new CniError(code.decoding, `cannot decode the network configuration: more than ${most} bytes`);
}

const REPLACEMENT = "\uFFFD";

/** Two interfaces would have one name here, and another than in the container: a result is UTF-8. */
async function refuseOtherThanUtf8(host: Host): Promise<void> {
  if ((await host.isUtf8?.("CNI_IFNAME")) !== false) return;
  throw new CniError(code.invalidEnvironment, "interface name is not UTF-8: CNI_IFNAME has other bytes");
}

/** Rule A8, before anything is touched: such a call would reconfigure the host's own network. */
function refuseOwnNetns({ command, netns }: Request, host: Host): void {
  if (command !== "ADD" && command !== "DEL") return;
  if (netns === "" || !host.isOwnNetns(netns)) return;
  throw new CniError(
    code.invalidNetns,
    "plugin's netns and netns from CNI_NETNS should not be the same",
    "",
    { remark: `CNI_NETNS is ${JSON.stringify(netns)}; CNI_NETNS_OVERRIDE=1 permits it` },
  );
}

/** The error with what the machine says of it. */
async function explained(error: CniError, host: Host): Promise<CniError> {
  const more = await host.explain?.(error.message);
  if (more === undefined) return error;
  const { remark } = error;
  return new CniError(error.code, `${error.message}: ${more}`, error.details, { cause: error, remark });
}

/** Prints a failure (rules A16, A17). */
export function reportError(
  error: CniError,
  cniVersion: Version,
  host: Pick<Host, "stdout" | "stderr">,
): void {
  const details = error.details === "" ? undefined : error.details;
  try {
    host.stdout(print({ cniVersion, code: error.code, msg: error.message, details }));
  } catch {
    logIfPossible(error.message, host);
  }
  if (error.remark !== "") logIfPossible(error.remark, host);
}

function logIfPossible(line: string, host: Pick<Host, "stderr">): void {
  try {
    host.stderr(`${line}\n`);
  } catch {
    // It is closed: the exit code, and stdout if that is open, are all that is left.
  }
}
