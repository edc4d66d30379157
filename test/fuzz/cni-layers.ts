/** The protocol's layers: configuration, environment, arguments, results, delegates, a whole call. */

import { parseCniArgs } from "../../src/cni/args.ts";
import { readChildResult, runChild } from "../../src/cni/delegate-child.ts";
import { type Invocation, readEnvironment } from "../../src/cni/environment.ts";
import { parseJson } from "../../src/cni/json-bytes.ts";
import type { Request } from "../../src/cni/plugin.ts";
import { readRequest } from "../../src/cni/protocol.ts";
import type { Result } from "../../src/cni/result.ts";
import { formatResult } from "../../src/cni/result-format.ts";
import { parseResult } from "../../src/cni/result-parse.ts";
import { SUPPORTED_VERSIONS } from "../../src/cni/version.ts";
import { parseBridgeConfig } from "../../src/plugins/bridge/config.ts";
import { parseAllocation, parsePlace } from "../../src/plugins/host-local/config.ts";
import { parseResolvConf } from "../../src/plugins/host-local/resolv-conf.ts";
import { bytes, call, FakePlugin, noDelegation } from "../cni/fake-host.ts";
import { endlessTime } from "../support/call-time.ts";
import type { Chance } from "./chance.ts";
import { COMMANDS, CONFIGURATIONS, ENVIRONMENT, RESULTS } from "./documents.ts";
import { type Layer, requireUsable, unlessRefused } from "./layer.ts";
import { mutateBytes, mutateDocument, oddText } from "./mutate.ts";

/** A configuration, mostly with a prevResult, as bytes: altered in its structure, its bytes, or both. */
export function configuration(chance: Chance): Uint8Array {
  const document = { ...chance.of(CONFIGURATIONS) };
  if (chance.oneIn(3)) document.prevResult = chance.of(RESULTS);
  const mutated = mutateDocument(chance, document, chance.below(5));
  const text = bytes(JSON.stringify(mutated) ?? "");
  return chance.oneIn(4) ? mutateBytes(chance, text) : text;
}

/** Variables of which some are altered or gone. */
export function environment(chance: Chance): Record<string, string> {
  const variables: Record<string, string> = { ...ENVIRONMENT, CNI_COMMAND: chance.of(COMMANDS) };
  for (let change = chance.below(4); change > 0; change--) {
    const name = chance.of(Object.keys(ENVIRONMENT));
    if (chance.oneIn(3)) delete variables[name];
    else variables[name] = oddText(chance).replaceAll("\0", "");
  }
  return variables;
}

function requestFor(chance: Chance, stdin: Uint8Array): Request | undefined {
  const invocation: Invocation = {
    ...readEnvironment(ENVIRONMENT),
    command: chance.of(COMMANDS),
    args: chance.oneIn(2) ? oddText(chance) : "",
  };
  const surroundings = {
    environment: ENVIRONMENT,
    delegation: noDelegation,
    time: endlessTime,
    stderr: () => {},
  };
  return unlessRefused(() => readRequest(invocation, stdin, surroundings));
}

/** What a plugin makes of stdin before it touches anything. Its leases stay in a folder of the network's own. */
function configurations(chance: Chance): void {
  const request = requestFor(chance, configuration(chance));
  if (request === undefined) return;
  unlessRefused(() => parseBridgeConfig(request));
  unlessRefused(() => parseAllocation(request));
  unlessRefused(() => request.config.prevResult);
  const place = unlessRefused(() => parsePlace(request.config));
  if (place !== undefined && /[/\0]|^\.{0,2}$/.test(place.network)) {
    throw new Error(`leases would be in the folder ${JSON.stringify(place.network)}`);
  }
}

function environments(chance: Chance): void {
  unlessRefused(() => readEnvironment(environment(chance)));
}

function argumentsOfCni(chance: Chance): void {
  const pieces = Array.from({ length: chance.below(5) }, () => oddText(chance));
  const text = chance.oneIn(2)
    ? pieces.join(";")
    : pieces.map((piece) => `${chance.of(["IP", "MAC", "X"])}=${piece}`).join(";");
  const values = unlessRefused(() => parseCniArgs(text)) ?? {};
  for (const key of Object.keys(values)) if (key !== "IP" && key !== "MAC") throw new Error(`took in ${key}`);
}

/** A result that is taken in comes out again in its version, and then means the same. */
function results(chance: Chance): void {
  const document = mutateDocument(chance, chance.of(RESULTS), chance.below(5));
  const version = chance.of(SUPPORTED_VERSIONS);
  const result = unlessRefused(() => parseResult(document, "prevResult", version));
  if (result === undefined) return;
  for (const target of SUPPORTED_VERSIONS) unlessRefused(() => again(result, target));
}

function again(result: Result, version: (typeof SUPPORTED_VERSIONS)[number]): void {
  const text = formatResult(result, version);
  const read = parseResult(JSON.parse(text), "result", version);
  if (formatResult(read, version) !== text) throw new Error(`${version}: written again it differs: ${text}`);
}

function json(chance: Chance): void {
  const text = chance.oneIn(3) ? bytes(oddText(chance)) : mutateBytes(chance, configuration(chance));
  unlessRefused(() => parseJson(text, "it"));
}

/** What a delegate leaves is a result or an error of ours, whatever it printed and however it ended. */
async function delegates(chance: Chance): Promise<void> {
  const printed = () => {
    if (chance.oneIn(4)) return bytes(oddText(chance));
    const document = chance.oneIn(3)
      ? { cniVersion: "1.0.0", code: 11, msg: "busy", details: "d" }
      : chance.of(RESULTS);
    const text = bytes(JSON.stringify(mutateDocument(chance, document, chance.below(4))) ?? "");
    return chance.oneIn(4) ? mutateBytes(chance, text) : text;
  };
  const exitCode = chance.of([0, 0, 1, 2, 255, null]);
  const outcome = {
    exitCode,
    signal: exitCode === null ? "SIGKILL" : undefined,
    stdout: printed(),
    stderr: printed(),
  };
  const request = requestFor(chance, bytes(JSON.stringify(chance.of(CONFIGURATIONS))));
  if (request === undefined) return;
  const delegation = { ...noDelegation, run: async () => outcome };
  try {
    readChildResult(request, "/bin/ipam", await runChild({ ...request, delegation }, "/bin/ipam", {}));
  } catch (error) {
    requireUsable(error, { ofDelegate: true });
  }
}

/** Exit code and output of a whole call agree: one document, which is an error if and only if the exit code is 1. */
async function calls(chance: Chance): Promise<void> {
  const plugin = new FakePlugin(
    chance.oneIn(4) ? { add: () => Promise.reject(new Error(oddText(chance))) } : {},
  );
  const variables = environment(chance);
  const { exitCode, stdout, stderr } = await call(plugin, variables, configuration(chance));
  const document: unknown = stdout === "" ? undefined : JSON.parse(stdout);
  const isError =
    typeof document === "object" && document !== null && "code" in document && "msg" in document;
  if (exitCode !== (isError ? 1 : 0)) throw new Error(`exit code ${exitCode} with ${stdout}`);
  if (/\n\s+at /.test(stdout + stderr)) throw new Error(`a stack trace: ${stdout}${stderr}`);
}

function resolvers(chance: Chance): void {
  const lines = Array.from(
    { length: chance.below(6) },
    () => `${chance.of(["nameserver", "search", "options", "#", ""])} ${oddText(chance)}`,
  );
  parseResolvConf(lines.join(chance.of(["\n", "\r\n", " "])));
}

export const CNI_LAYERS: readonly Layer[] = [
  { name: "configurations", attempt: configurations },
  { name: "environments", attempt: environments },
  { name: "CNI_ARGS", attempt: argumentsOfCni },
  { name: "results", attempt: results },
  { name: "JSON", attempt: json },
  { name: "delegates", attempt: delegates },
  { name: "calls", attempt: calls },
  { name: "resolv.conf", attempt: resolvers },
];
