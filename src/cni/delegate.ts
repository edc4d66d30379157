/**
 * Delegation to an IPAM plugin (rules A42–A49). A delegate that is this very file runs in this process, any other as a
 * child. Both get the same environment and configuration, and both return results and errors in the same form.
 */
import type { Command, Environment } from "./environment.ts";
import { CniError, code, toCniError } from "./error.ts";
import { type CommandWithoutResult, type Plugin, type Request, runAdd } from "./plugin.ts";
import type { Result } from "./result.ts";
import { reduceTo } from "./result-version.ts";
import { takeBack } from "./undo.ts";

/**
 * Runs ADD of the plugin `type`. If it fails, its DEL runs before this throws, so that nothing stays behind (rule A45).
 * DEL is left out if the error says that nothing was taken.
 * @throws CniError: the delegate's own; code 6 if it printed no result; 7 or 999 if it can't be found or run.
 */
export async function delegateAdd(request: Request, type: string): Promise<Result> {
  const found = find(request, type);
  try {
    return await add(request, found);
  } catch (thrown) {
    const error = reported(request, thrown);
    if (error.nothingTaken) throw error;
    const left = await takeBack(request, `cannot undo the failed ADD of plugin ${JSON.stringify(type)}`, () =>
      run(request, found, "DEL"),
    );
    throw error.afterUndo(left);
  }
}

/** Runs CHECK of the plugin `type`. @throws CniError: the delegate's own, or why it can't be found or run. */
export const delegateCheck = (request: Request, type: string): Promise<void> =>
  delegate(request, type, "CHECK");

/** Runs DEL of the plugin `type`. @throws CniError as delegateCheck. */
export const delegateDel = (request: Request, type: string): Promise<void> => delegate(request, type, "DEL");

/** Runs STATUS of the plugin `type`, if the plugin knows the command. @throws CniError as delegateCheck. */
export const delegateStatus = (request: Request, type: string): Promise<void> =>
  delegate(request, type, "STATUS");

/** Runs GC of the plugin `type`, if the plugin knows the command. @throws CniError as delegateCheck. */
export const delegateGc = (request: Request, type: string): Promise<void> => delegate(request, type, "GC");

/** Whether the plugin `type` is this very file. Then it gets the whole request, not only environment and stdin. */
export const isInThisProcess = (request: Request, type: string): boolean =>
  find(request, type).builtIn !== undefined;

async function delegate(request: Request, type: string, command: CommandWithoutResult): Promise<void> {
  const found = find(request, type);
  try {
    await run(request, found, command);
  } catch (thrown) {
    const error = reported(request, thrown);
    if (!(await isUnknownTo(request, found, command, error))) throw error;
    request.log(
      `plugin ${JSON.stringify(type)} does not know the command ${command}, which does not count as a failure: ${error.message}`,
    );
  }
}

/** Whether a failure means only that the delegate is older than the command. */
async function isUnknownTo(
  request: Request,
  { path, builtIn }: Found,
  command: Command,
  error: CniError,
): Promise<boolean> {
  if (builtIn !== undefined || (command !== "STATUS" && command !== "GC")) return false;
  return (await import("./unknown-command.ts")).isUnknownTo(request, path, command, error);
}

/** The error as a child would report it, with its remark on stderr. */
function reported(request: Request, thrown: unknown): CniError {
  const error = toCniError(thrown);
  if (error.remark === "") return error;
  request.log(error.remark);
  const { message, details, nothingTaken } = error;
  return new CniError(error.code, message, details, { cause: error, nothingTaken });
}

/** An executable. If it is this very file, `builtIn` is its plugin. */
interface Found {
  readonly path: string;
  readonly builtIn: Plugin | undefined;
}

async function add(request: Request, { path, builtIn }: Found): Promise<Result> {
  if (builtIn === undefined) {
    const { readChildResult, runChild } = await import("./delegate-child.ts");
    return readChildResult(request, path, await runChild(request, path, environmentFor(request, "ADD")));
  }
  // A child's result has no more fields than its version can express.
  return runAdd(builtIn, asDelegate(request, "ADD"), (result) => reduceTo(request.config.cniVersion, result));
}

async function run(request: Request, { path, builtIn }: Found, command: CommandWithoutResult): Promise<void> {
  if (builtIn === undefined) {
    const { runChild } = await import("./delegate-child.ts");
    await runChild(request, path, environmentFor(request, command));
  } else {
    await builtIn.run(command, asDelegate(request, command));
  }
}

/** This process's whole environment with the delegate's command (rules A42, A49). */
const environmentFor = (request: Request, command: Command): Environment => ({
  ...request.environment,
  CNI_COMMAND: command,
});

/**
 * The request that a child would read from its environment and stdin. It needs no second validation: this plugin's
 * command requires at least as much of both as the delegate's.
 */
const asDelegate = (request: Request, command: Command): Request => ({ ...request, command });

/**
 * The first executable of that name in CNI_PATH (rule A43). An empty element is skipped: it would mean the caller's
 * working directory.
 */
function find({ path, delegation }: Request, type: string): Found {
  if (type === "") throw new CniError(code.invalidConfig, "no plugin name provided");
  refuseItself(delegation.calledAs, type);
  if (type.includes("/") || type.includes("\0")) {
    throw new CniError(
      code.invalidConfig,
      `invalid plugin name: ${JSON.stringify(type)} must be the name of a file, without a path`,
    );
  }
  try {
    for (const directory of path) {
      const candidate = `${directory}/${type}`;
      if (directory === "" || !delegation.isExecutable(candidate)) continue;
      return { path: candidate, builtIn: delegation.builtIn(candidate, type) };
    }
  } catch (error) {
    throw toCniError(error).during(
      `cannot look for plugin ${JSON.stringify(type)} in path [${path.join(" ")}]`,
    );
  }
  const folders = path.filter((folder) => folder !== "").join(" ");
  const where = folders === "" ? ": CNI_PATH names no directory" : ` in path [${folders}]`;
  throw new CniError(
    code.internal,
    `failed to find plugin ${JSON.stringify(type)}${where}; install it there or correct CNI_PATH`,
  );
}

/** Refuses a delegate with the name that this plugin was called by. @throws CniError code 7 */
export function refuseItself(calledAs: string | undefined, type: string): void {
  if (type !== calledAs) return;
  throw new CniError(
    code.invalidConfig,
    `ipam.type ${JSON.stringify(type)} would make this plugin call itself without end; ` +
      'name an IPAM plugin, such as "host-local"',
  );
}
