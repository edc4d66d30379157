/**
 * One call of a plugin from its environment to its exit code (rules A1–A24): everything that happens around the
 * plugin's own work, without touching the process.
 */
import { decodeDocument, networkName, readNetworkConfig } from "./config.ts";
import type { Delegation } from "./delegate.ts";
import { type Environment, type Invocation, readEnvironment } from "./environment.ts";
import { CniError, code, toCniError } from "./error.ts";
import type { JsonObject } from "./json-object.ts";
import { COMMANDS, type Command, type Plugin, type Request } from "./plugin.ts";
import { formatResult, print } from "./result-format.ts";
import { CURRENT_VERSION, findVersion, SUPPORTED_VERSIONS, type Version } from "./version.ts";

/** The process as the protocol sees it, given by main. */
export interface Host {
  readonly environment: Environment;
  /** Standard input to its end. Called at most once, and never for VERSION (rule A7). */
  readStdin(): Uint8Array;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Whether a path leads to the network namespace of this process; false if nothing is there. */
  isOwnNetns(path: string): boolean;
  readonly delegation: Delegation;
  /** The program's version, for the about line. */
  readonly version: string;
}

/** Runs the command that the environment names. Returns the exit code and does not throw. */
export async function runPlugin(plugin: Plugin, host: Host): Promise<number> {
  if (!host.environment.CNI_COMMAND) {
    host.stderr(`CNI ${plugin.name} plugin v${host.version}\n`);
    host.stderr(`CNI protocol versions supported: ${SUPPORTED_VERSIONS.join(", ")}\n`);
    return 0;
  }
  const answer = { version: CURRENT_VERSION };
  try {
    const invocation = readEnvironment(host.environment);
    if (invocation.command === "VERSION") host.stdout(versionDocument());
    else await runCommand(plugin, host, invocation, answer);
    return 0;
  } catch (thrown) {
    reportError(host, toCniError(thrown), answer.version);
    return 1;
  }
}

const versionDocument = (): string =>
  `${JSON.stringify({ cniVersion: CURRENT_VERSION, supportedVersions: SUPPORTED_VERSIONS })}\n`;

/** `answer.version` becomes the configuration's as soon as that is known: errors carry it (rule A17). */
async function runCommand(
  plugin: Plugin,
  host: Host,
  invocation: Invocation,
  answer: { version: Version },
): Promise<void> {
  const stdin = readStdin(host);
  const document = decodeDocument(stdin);
  answer.version = spokenVersion(document);
  networkName(document);
  const command = knownCommand(invocation.command);
  const config = readNetworkConfig(document, command);
  if (command === "ADD" || command === "DEL") refuseOwnNetns(host, invocation);
  const request: Request = {
    ...invocation,
    command,
    config,
    stdin,
    environment: host.environment,
    delegation: host.delegation,
    log: (line) => host.stderr(`${line}\n`),
  };
  if (command === "ADD") await add(plugin, host, request);
  else await plugin[methodOf(command)](request);
}

/** ADD counts only when its result has reached the caller: nobody else would know what to delete. */
async function add(plugin: Plugin, host: Host, request: Request): Promise<void> {
  const result = await plugin.add(request);
  try {
    host.stdout(formatResult(result, request.config.cniVersion));
  } catch (error) {
    await plugin.del({ ...request, command: "DEL" }).catch((failure: unknown) => {
      request.log(
        `cannot delete the attachment whose result could not be written: ${toCniError(failure).message}`,
      );
    });
    throw error;
  }
}

/** The plugin's function for a command without a result. */
export const methodOf = (command: Exclude<Command, "ADD">) =>
  (({ CHECK: "check", DEL: "del", GC: "gc", STATUS: "status" }) as const)[command];

function readStdin(host: Host): Uint8Array {
  try {
    return host.readStdin();
  } catch (error) {
    throw new CniError(code.io, `error reading from stdin: ${toCniError(error).message}`, "", {
      cause: error,
    });
  }
}

/** A version that is no text, or none of ours, is not one that we could answer in. */
function spokenVersion(document: JsonObject): Version {
  const text = document.get("cniVersion") ?? "";
  return (typeof text === "string" ? findVersion(text) : undefined) ?? CURRENT_VERSION;
}

function knownCommand(text: string): Command {
  const command = COMMANDS.find((each) => each === text);
  if (command !== undefined) return command;
  throw new CniError(
    code.invalidEnvironment,
    `unknown CNI_COMMAND: ${text}`,
    `known are ${COMMANDS.join(", ")}, VERSION`,
  );
}

/** Rule A8, before anything is touched: a wrong CNI_NETNS would reconfigure the host's own network. */
function refuseOwnNetns(host: Host, { netns, netnsOverride }: Invocation): void {
  if (netns === "" || netnsOverride || !host.isOwnNetns(netns)) return;
  throw new CniError(
    code.invalidNetns,
    "plugin's netns and netns from CNI_NETNS should not be the same",
    `CNI_NETNS is ${JSON.stringify(netns)}; CNI_NETNS_OVERRIDE=1 allows it`,
  );
}

/** Rule A17. When stdout is gone there is only stderr left to say so. */
function reportError(host: Host, error: CniError, cniVersion: Version): void {
  const details = error.details === "" ? undefined : error.details;
  try {
    host.stdout(print({ cniVersion, code: error.code, msg: error.message, details }));
  } catch (failure) {
    try {
      host.stderr(`${error.message}\ncannot write the error on stdout: ${toCniError(failure).message}\n`);
    } catch {
      // The exit code remains.
    }
  }
}
