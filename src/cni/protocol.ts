/**
 * Runs one call of a plugin, from the environment to the exit code (rules A1–A21). Everything that touches the process is
 * behind the interface Host.
 */
import { useReserve } from "#engine";
import type { CallTime } from "./call-time.ts";
import { decodeDocument, mostBytes, readNetworkConfig, versionForError } from "./config.ts";
import { type Command, type Environment, type Invocation, readEnvironment } from "./environment.ts";
import { CniError, code as codes, toCniError } from "./error.ts";
import { type Delegation, type Plugin, type Request, runAdd } from "./plugin.ts";
import { formatResult, print } from "./result-format.ts";
import type { Version } from "./version.ts";

/** The process as the protocol sees it. The program's main function implements it. */
export interface Host {
  readonly environment: Environment;
  /** Reads standard input, at most `most` bytes. Called at most once, and never for VERSION (rule A7). */
  readStdin(most: number): Uint8Array;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Whether a path leads to the network namespace of this process; false if the path does not exist. */
  isOwnNetns(path: string): boolean;
  readonly delegation: Delegation;
  readonly time: CallTime;
  /** The cause of a failure with this message, such as a missing right; undefined if unknown. Never throws. */
  explain?(message: string): Promise<string | undefined>;
  /** Whether a variable's bytes are valid UTF-8. Invalid bytes are read as U+FFFD, which can also be a valid character. */
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
    const request = readRequest(invocation, stdin, host, plugin.oldest);
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
  oldest?: Version,
): Request {
  const config = readNetworkConfig(decodeDocument(stdin), command, oldest);
  time.limit(config.callTimeout * 1000);
  return {
    // readNetworkConfig refuses any other.
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

/** Reads standard input. @throws CniError code 5 or 6. */
export function readStdin(host: Host): Uint8Array {
  const most = mostBytes(host.environment.CNI_COMMAND);
  let bytes: Uint8Array;
  try {
    bytes = host.readStdin(most + 1);
  } catch (error) {
    throw new CniError(codes.io, `error reading from stdin: ${toCniError(error).message}`, "", {
      cause: error,
    });
  }
  if (bytes.length <= most) return bytes;
  throw new CniError(codes.decoding, `cannot decode the network configuration: more than ${most} bytes`);
}

const REPLACEMENT = "\uFFFD";

/** A result is UTF-8, so it could not name such an interface, and two names could become equal. */
async function refuseOtherThanUtf8(host: Host): Promise<void> {
  if ((await host.isUtf8?.("CNI_IFNAME")) !== false) return;
  throw new CniError(codes.invalidEnvironment, "interface name is not UTF-8: CNI_IFNAME has other bytes");
}

/** Rule A8: such a call would reconfigure the host's own network. */
function refuseOwnNetns({ command, netns }: Request, host: Host): void {
  if (command !== "ADD" && command !== "DEL") return;
  if (netns === "" || !host.isOwnNetns(netns)) return;
  throw new CniError(
    codes.invalidNetns,
    "plugin's netns and netns from CNI_NETNS should not be the same",
    "",
    { remark: `CNI_NETNS is ${JSON.stringify(netns)}; CNI_NETNS_OVERRIDE=1 permits it` },
  );
}

/** Before the name of an error number, as in "(EEXIST)": the cause is not in this program. */
const ERRNO = "(E";
/** How to see what led to it (rule O18). */
const TRACE = "BRIDGEHEAD_TRACE=FILE in the plugin's environment writes each step to a file";

/** The error with the host's explanation, if there is one; else, where the kernel refused something, with what shows more. */
async function explained(error: CniError, host: Host): Promise<CniError> {
  const { code, message, details, remark } = error;
  const more = await host.explain?.(message);
  if (more !== undefined) return new CniError(code, `${message}: ${more}`, details, { cause: error, remark });
  const isSaid = details.includes(TRACE) || Boolean(host.environment.BRIDGEHEAD_TRACE);
  if (isSaid || code === codes.tryAgainLater || !message.includes(ERRNO)) return error;
  const hint = details === "" ? TRACE : `${details}; ${TRACE}`;
  return new CniError(code, message, hint, { cause: error, remark });
}

/** Prints a failure (rules A16, A17). */
export function reportError(
  error: CniError,
  cniVersion: Version,
  host: Pick<Host, "stdout" | "stderr">,
): void {
  const details = error.details === "" ? undefined : error.details;
  useReserve();
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
    // Stderr is closed: only the exit code and stdout are left.
  }
}
