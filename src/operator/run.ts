/**
 * `bridgehead run ADD|DEL|CHECK|GC|STATUS NETWORK`: calls the plugins of a network as cnitool and runtimes do, with libcni's
 * cache, so that each can go on where another has stopped (O17).
 */
import type { Command } from "../cni/environment.ts";
import { CniError, code, toCniError } from "../cni/error.ts";
import { reportError } from "../cni/protocol.ts";
import { formatResult, print } from "../cni/result-format.ts";
import { parseResult } from "../cni/result-parse.ts";
import { atLeast } from "../cni/version.ts";
import type { Document } from "../schema/keys.ts";
import { get } from "../schema/parse.ts";
import { type CachedAttachment, DEFAULT_CACHE_DIRECTORY, readCache, readCached } from "./cache.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import { hasOption, type Input, listOption, textOption } from "./input.ts";
import { DEFAULT_CONFIG_DIRECTORY } from "./networks.ts";
import { type Target, targetOf, withCached } from "./run/attachment.ts";
import { cacheFileOf, forget, keep } from "./run/cache-file.ts";
import {
  addChain,
  type Caller,
  checkChain,
  collectChain,
  deleteChain,
  requirePrograms,
  statusOfChain,
} from "./run/call-chain.ts";
import { callerOf } from "./run/caller.ts";
import { capabilityArgsOf, requireCapabilities } from "./run/capabilities.ts";
import { type Chain, cachedChain, readChain } from "./run/chain.ts";
import { hasInterface } from "./run/has-interface.ts";

/** A call of the command. */
interface Run {
  readonly input: Input;
  readonly caller: Caller;
  readonly cacheDir: string;
  readonly configDir: string;
  readonly network: string;
}

/** A result, or nothing, is on standard output; a CNI error object with exit code 1. @throws CommandError for wrong use */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const [command, network = ""] = input.arguments as [Command, string];
  const call: Run = {
    input,
    caller: callerOf(input),
    cacheDir: textOption(input, "cacheDir") ?? DEFAULT_CACHE_DIRECTORY,
    configDir: textOption(input, "configDir") ?? DEFAULT_CONFIG_DIRECTORY,
    network,
  };
  if (command === "GC" || command === "STATUS") return await ofNetwork(call, command);
  const target = targetIn(input, command, network);
  const cached = cachedIn(call, target);
  const chain =
    command === "ADD" || cached?.config === undefined
      ? readChain(call.configDir, network)
      : cachedChain(cached.config, cached.file, call.configDir);
  requireCapabilities(chain, target.capabilityArgs);
  return await reporting(call, chain, async () => {
    if (command === "ADD") terminal.stdout(print(await add(call, chain, target, cached)));
    else if (command === "DEL") await remove(call, chain, target, cached);
    else await check(call, chain, target, cached);
  });
}

/** The attachment that the options name. @throws CommandError */
function targetIn(input: Input, command: Command, network: string): Target {
  const { CNI_ARGS = "", CAP_ARGS = "" } = input.terminal.environment;
  const [netns, id] = [textOption(input, "netns"), textOption(input, "id")];
  if (netns === undefined && (command === "ADD" || id === undefined))
    throw new CommandError(
      exitCode.wrongUse,
      `${command} needs --netns PATH, such as /run/netns/c1${command === "ADD" ? "" : ", or the --id of a container in libcni's cache"}`,
    );
  return targetOf({
    ...{ network, netns, id, args: CNI_ARGS },
    ifname: textOption(input, "ifname") ?? "eth0",
    capabilityArgs: capabilityArgsOf({
      ports: listOption(input, "port"),
      ips: listOption(input, "ip"),
      mac: textOption(input, "mac"),
      capArgs: CAP_ARGS,
    }),
  });
}

/** What libcni's cache has of an attachment; undefined if nothing that can be used. */
function cachedIn({ cacheDir }: Run, target: Target): CachedAttachment | undefined {
  const found = readCached(cacheFileOf(cacheDir, target));
  return typeof found === "string" ? undefined : found;
}

/** Runs an action; its failure becomes an error object on standard output. */
async function reporting(
  { input: { terminal } }: Run,
  { cniVersion }: Chain,
  action: () => Promise<void>,
): Promise<ExitCode> {
  try {
    await action();
    return exitCode.fine;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    reportError(toCniError(error), cniVersion, terminal);
    return exitCode.problems;
  }
}

/** @throws CniError, after what was made is gone again */
async function add(
  { caller, cacheDir }: Run,
  chain: Chain,
  target: Target,
  cached: CachedAttachment | undefined,
): Promise<Document> {
  const { containerId, ifname } = target;
  if (cached !== undefined)
    throw new CniError(
      code.invalidEnvironment,
      `container ${containerId} already has interface ${JSON.stringify(ifname)} on network ${JSON.stringify(chain.name)}, by ${cached.file}; DEL it first`,
    );
  requirePrograms(caller, chain, "ADD");
  const wasThere = hasInterface(target);
  let result: Document | undefined;
  try {
    result = await addChain(caller, chain, target);
    keep(cacheDir, target, chain.bytes, result);
    return result;
  } catch (thrown) {
    const error = toCniError(thrown);
    // DEL would take it from the one that has made it.
    if (wasThere)
      throw error.afterUndo([
        `nothing was undone, since interface ${JSON.stringify(ifname)} was there before`,
      ]);
    throw error.afterUndo(await failuresOf(() => deleteChain(caller, chain, target, result)));
  }
}

async function failuresOf(undo: () => Promise<void>): Promise<string[]> {
  try {
    await undo();
    return [];
  } catch (error) {
    return [`cannot undo it: ${toCniError(error).message}`];
  }
}

/** The cached result goes to DEL from 0.4.0 on. What failed stays in the cache, so that DEL can be called again. */
async function remove(
  { caller, cacheDir }: Run,
  chain: Chain,
  given: Target,
  cached: CachedAttachment | undefined,
): Promise<void> {
  const target = withCached(given, cached);
  let prevResult: Document | undefined;
  try {
    prevResult = atLeast(chain.cniVersion, "0.4.0") ? resultIn(chain, cached) : undefined;
  } catch (error) {
    caller.log(`the cached result is left out, since it cannot be read: ${toCniError(error).message}`);
  }
  await deleteChain(caller, chain, target, prevResult);
  forget(cacheDir, target);
}

/** CHECK came with 0.4.0, and a network can forbid it. */
async function check(
  { caller }: Run,
  chain: Chain,
  given: Target,
  cached: CachedAttachment | undefined,
): Promise<void> {
  const { cniVersion, disableCheck } = chain;
  if (!atLeast(cniVersion, "0.4.0"))
    throw new CniError(
      code.incompatibleVersion,
      `configuration version ${JSON.stringify(cniVersion)} does not support the CHECK command`,
    );
  if (disableCheck) caller.log(`nothing was checked: ${chain.file} has "disableCheck"`);
  else await checkChain(caller, chain, withCached(given, cached), resultIn(chain, cached));
}

/** The cached result in the version of the chain. @throws CniError, KeyError */
function resultIn({ cniVersion }: Chain, cached: CachedAttachment | undefined): Document | undefined {
  const result = cached?.result;
  if (result === undefined || get(result, "cniVersion") === cniVersion) return result;
  const converted = formatResult(parseResult(result, "prevResult", cniVersion), cniVersion);
  return JSON.parse(converted) as Document;
}

/** GC and STATUS, which came with 1.1.0. */
async function ofNetwork(call: Run, command: "GC" | "STATUS"): Promise<ExitCode> {
  const { input, caller } = call;
  const given = ["netns", "id", "ifname", "port", "ip", "mac"].find(
    (name) => input.options[name] !== undefined,
  );
  if (given !== undefined)
    throw new CommandError(exitCode.wrongUse, `${command} is of a whole network; leave out --${given}`);
  const chain = readChain(call.configDir, call.network);
  if (!atLeast(chain.cniVersion, "1.1.0")) {
    caller.log(
      `nothing was called: ${chain.file} is of version ${chain.cniVersion}, and ${command} came with 1.1.0`,
    );
    return exitCode.fine;
  }
  if (command === "GC" && chain.disableGC) {
    caller.log(`nothing was collected: ${chain.file} has "disableGC"`);
    return exitCode.fine;
  }
  const valid = command === "GC" ? validIn(call) : [];
  return await reporting(call, chain, () =>
    command === "GC" ? collectChain(caller, chain, valid) : statusOfChain(caller, chain),
  );
}

/** The attachments of a network in the cache, which stay. @throws CommandError if it may be incomplete, or has none */
function validIn({ input, cacheDir, network }: Run) {
  const { attachments, broken } = readCache(cacheDir);
  const [first] = broken;
  if (first !== undefined)
    throw new CommandError(
      exitCode.cannotTell,
      `${first.file} is not of libcni's cache: ${first.problem}; without it a living container could be missing, so nothing was collected`,
    );
  const valid = attachments.filter((each) => each.network === network);
  if (valid.length === 0 && !hasOption(input, "noneAlive"))
    throw new CommandError(
      exitCode.wrongUse,
      `libcni's cache in ${cacheDir} has no attachment of network ${JSON.stringify(network)}, so GC would free all addresses; say --none-alive if that is meant, or see "bridgehead gc ${network}"`,
    );
  return valid.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
}
