/**
 * Delegation to an IPAM plugin (rules A42–A49). A delegate that is this very file runs in this process, any other
 * as a child; both get the same environment and configuration, and their results and errors come back alike.
 */
import { decodeDocument, parseJson, readNetworkConfig } from "./config.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { CniError, code, toCniError } from "./error.ts";
import { JsonObject } from "./json-object.ts";
import type { Command, Plugin, Request } from "./plugin.ts";
import { methodOf } from "./protocol.ts";
import type { Result } from "./result.ts";
import { reduceTo } from "./result-version.ts";

/** What a finished child process left. */
export interface ChildOutcome {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/**
 * What delegation needs of the system, given by main. The protocol itself knows no files and no processes.
 */
export interface Delegation {
  /** Whether `path` is a file that can be executed. */
  isExecutable(path: string): boolean;
  /** The built-in plugin of that name if the executable at `path` is the very file that runs now. */
  builtIn(path: string, name: string): Promise<Plugin | undefined>;
  /** Runs an executable to its end. @throws SystemError if it can't be started. */
  run(
    path: string,
    environment: Readonly<Record<string, string | undefined>>,
    stdin: Uint8Array,
  ): ChildOutcome;
}

/**
 * Runs ADD of the plugin `type`. After a failure its DEL has run, so that nothing stays behind (rule A45).
 * @throws CniError: the delegate's own; code 6 if it printed no result; 7 or 999 if it is not found.
 */
export async function delegateAdd(request: Request, type: string): Promise<Result> {
  const path = find(request, type);
  try {
    return await runAdd(request, type, path);
  } catch (error) {
    await delegateDel(request, type).catch((failure: unknown) => {
      request.log(
        `cannot undo the failed ADD of plugin ${JSON.stringify(type)}: ${toCniError(failure).message}`,
      );
    });
    throw error;
  }
}

/** Runs CHECK of the plugin `type`. @throws CniError: the delegate's own, or that it can't be run. */
export const delegateCheck = (request: Request, type: string): Promise<void> =>
  delegate(request, type, "CHECK");

/** Runs DEL of the plugin `type`. @throws CniError as delegateCheck. */
export const delegateDel = (request: Request, type: string): Promise<void> => delegate(request, type, "DEL");

/** Runs STATUS of the plugin `type`. @throws CniError as delegateCheck. */
export const delegateStatus = (request: Request, type: string): Promise<void> =>
  delegate(request, type, "STATUS");

/** Runs GC of the plugin `type`. @throws CniError as delegateCheck. */
export const delegateGc = (request: Request, type: string): Promise<void> => delegate(request, type, "GC");

async function runAdd(request: Request, type: string, path: string): Promise<Result> {
  const builtIn = await request.delegation.builtIn(path, type);
  if (builtIn !== undefined) {
    const own = requestOf(request, "ADD");
    // What a child could not print in the configuration's version must not arrive from here either.
    return reduceTo(own.config.cniVersion, await builtIn.add(own));
  }
  const stdout = await runChild(request, path, "ADD");
  try {
    const { parseResult } = await import("./result-parse.ts");
    return parseResult(JsonObject.from(parseJson(stdout), "result"), request.config.cniVersion);
  } catch (error) {
    throw toCniError(error).during(`plugin ${JSON.stringify(path)} succeeded but printed no valid result`);
  }
}

async function delegate(request: Request, type: string, command: Exclude<Command, "ADD">): Promise<void> {
  const path = find(request, type);
  const builtIn = await request.delegation.builtIn(path, type);
  if (builtIn === undefined) await runChild(request, path, command);
  else await builtIn[methodOf(command)](requestOf(request, command));
}

/** The first executable of that name on CNI_PATH. An empty element would be the working directory: it is skipped. */
function find({ path, delegation }: Request, type: string): string {
  if (type === "") throw new CniError(code.invalidConfig, "no plugin name provided");
  if (type.includes("/") || type.includes("\0")) {
    throw new CniError(
      code.invalidConfig,
      `invalid plugin name: ${JSON.stringify(type)} must be a file name`,
    );
  }
  const directories = path.filter((directory) => directory !== "");
  for (const directory of directories) {
    const candidate = `${directory.replace(/\/+$/, "")}/${type}`;
    if (delegation.isExecutable(candidate)) return candidate;
  }
  throw new CniError(
    code.internal,
    `failed to find plugin ${JSON.stringify(type)} in path [${directories.join(" ")}]: ` +
      "install it in one of these directories or correct CNI_PATH",
  );
}

/** The delegate's environment is the own one with another command (rules A42, A49). */
const environmentOf = (request: Request, command: Command): Environment => ({
  ...request.environment,
  CNI_COMMAND: command,
});

/**
 * The request that a child would make of the same bytes. The own namespace (rule A8) needs no second look: it was
 * refused before this plugin ran.
 */
function requestOf(request: Request, command: Command): Request {
  const environment = environmentOf(request, command);
  return {
    ...readEnvironment(environment),
    command,
    config: readNetworkConfig(decodeDocument(request.stdin), command),
    stdin: request.stdin,
    environment,
    delegation: request.delegation,
    log: request.log,
  };
}

/** Runs a child to its end and passes its stderr on (rule A46). Returns its stdout. @throws CniError if it failed. */
async function runChild(request: Request, path: string, command: Command): Promise<Uint8Array> {
  const outcome = await start(request, path, command);
  const stderr = new TextDecoder().decode(outcome.stderr);
  if (stderr !== "") request.log(stderr.replace(/\n$/, ""));
  if (outcome.exitCode === 0) return outcome.stdout;
  throw childError(outcome, stderr, path);
}

/** Milliseconds before another try: an installer may be writing the executable (rule A48). */
const BUSY_WAITS = [25, 50, 100, 200, 400, 800];

async function start(request: Request, path: string, command: Command): Promise<ChildOutcome> {
  for (const wait of BUSY_WAITS) {
    try {
      return request.delegation.run(path, environmentOf(request, command), request.stdin);
    } catch (error) {
      if (!isBusy(error)) throw notStarted(error, path);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  try {
    return request.delegation.run(path, environmentOf(request, command), request.stdin);
  } catch (error) {
    throw notStarted(error, path);
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ETXTBSY";

const notStarted = (error: unknown, path: string): CniError =>
  toCniError(error).during(`cannot run plugin ${JSON.stringify(path)}`);

/** The error that a failed child printed (rule A47), or one that says what it left instead. */
function childError({ exitCode, stdout }: ChildOutcome, stderr: string, path: string): CniError {
  const plugin = `plugin ${JSON.stringify(path)}`;
  if (stdout.length > 0) return printedError(stdout, plugin);
  return new CniError(
    code.internal,
    stderr.trim() === ""
      ? `netplugin failed with no error message: ${plugin} ended with exit status ${exitCode}`
      : `netplugin failed: ${plugin} wrote ${JSON.stringify(stderr.trim())}`,
  );
}

function printedError(stdout: Uint8Array, plugin: string): CniError {
  try {
    const error = JsonObject.from(parseJson(stdout), "error");
    return new CniError(
      error.integer("code") ?? code.internal,
      error.string("msg") ?? "",
      error.string("details"),
    );
  } catch (failure) {
    const printed = JSON.stringify(new TextDecoder().decode(stdout));
    return new CniError(
      code.internal,
      `netplugin failed but error parsing its diagnostic message ${printed} of ${plugin}: ${toCniError(failure).message}`,
    );
  }
}
