/**
 * The network configuration on stdin, as far as every plugin shares it (rules A9–A15, A37–A39). A plugin reads its
 * own keys from `json` with the checked accessors of json-object.ts.
 */
import { attachmentOf, type Divided, LIST_KEYS, takeLists } from "./attachment-lists.ts";
import { ValidAttachments } from "./attachments.ts";
import type { Command } from "./environment.ts";
import { CniError, code } from "./error.ts";
import { isIdentifier } from "./identifier.ts";
import { notJson, parseJson } from "./json-bytes.ts";
import { JsonObject, wrongType } from "./json-object.ts";
import type { Result } from "./result.ts";
import { parseResult } from "./result-parse.ts";
import { parseVersion, requireCommand, type Version } from "./version.ts";

/** What stdin says of the network, checked as far as all plugins share it. */
export interface NetworkConfig {
  readonly cniVersion: Version;
  readonly name: string;
  /** The whole document. */
  readonly json: JsonObject;
  /** prevResult converted to the current form; undefined when the configuration has none. Parsed on first use. */
  readonly prevResult: Result | undefined;
  /** cni.dev/valid-attachments (or cni.dev/attachments): null is libcni's empty list, undefined is absent (rule A39). */
  readonly validAttachments: ValidAttachments | undefined;
}

/** The configuration in the bytes of stdin, complete and checked. @throws CniError code 1, 6 or 7. */
export const parseNetworkConfig = (stdin: Uint8Array): NetworkConfig =>
  readNetworkConfig(decodeDocument(stdin), "ADD");

/**
 * Bytes that a configuration can have. GC's lists a million attachments twice, with ids of 64 characters; that of any
 * other command is about one attachment, whose previous result may have 250,000 routes and addresses.
 */
export const mostBytes = (command: string | undefined): number => (command === "GC" ? 2 ** 28 : MOST_BYTES);

/** Bytes of a configuration without GC's lists. */
const MOST_BYTES = 2 ** 24;

/** Bytes from where on GC's lists are read piece by piece. */
const LARGE = 2 ** 20;

/** The bytes of stdin as a JSON object (rule A9). @throws CniError code 6, saying where the fault is. */
export function decodeDocument(stdin: Uint8Array): JsonObject {
  const subject = "the network configuration";
  if (stdin.length <= LARGE) return JsonObject.from(parseJson(stdin, subject), "");
  let divided: Divided;
  try {
    divided = takeLists(stdin);
  } catch (error) {
    throw error instanceof CniError ? error : notJson(stdin, subject, error);
  }
  const { rest, lists } = divided;
  if (rest.length > MOST_BYTES) {
    throw new CniError(
      code.decoding,
      `cannot decode ${subject}: more than ${MOST_BYTES} bytes beside the lists of attachments`,
    );
  }
  const document = parseJson(rest, subject, stdin);
  // Only an object has such keys.
  return JsonObject.from(
    lists.size === 0 ? document : Object.assign(document ?? {}, Object.fromEntries(lists)),
    "",
  );
}

/** Bytes of a network's name: it becomes a file's name, in the leases and in what runtimes keep (NAME_MAX of limits.h). */
const MAX_NETWORK_BYTES = 255;

/**
 * A name that is too long is refused where something would be made under it; what was made under it by others, with an
 * IPAM plugin that makes no file of the name, can be checked and removed.
 */
function requirePossibleName(name: string, command: Command): void {
  if (name.length <= MAX_NETWORK_BYTES || (command !== "ADD" && command !== "STATUS")) return;
  throw new CniError(
    code.invalidConfig,
    `network name is too long: "name" has ${name.length} bytes, at most ${MAX_NETWORK_BYTES} are allowed`,
    name,
  );
}

/** The network's name (rule A10). It becomes part of paths and rules. @throws CniError code 6 or 7. */
export function networkName(document: JsonObject): string {
  const name = document.string("name") ?? "";
  if (name === "") throw new CniError(code.invalidConfig, "missing network name");
  if (isIdentifier(name)) return name;
  throw new CniError(code.invalidConfig, "invalid characters found in network name", name);
}

/** Seconds of a call: at least one, and at most an hour, after which no runtime waits any more. */
const MOST_SECONDS = 3600;

/** The key `callTimeout` of every plugin: the seconds that a whole call may take. @throws CniError code 6 or 7. */
export function callTimeout(document: JsonObject): number | undefined {
  const seconds = document.integer("callTimeout");
  if (seconds === undefined || (seconds >= 1 && seconds <= MOST_SECONDS)) return seconds;
  throw new CniError(
    code.invalidConfig,
    `invalid callTimeout ${seconds} (must be whole seconds between 1 and ${MOST_SECONDS}; 20 when it is left out)`,
  );
}

/** The configuration in a document, for a known command (rules A10–A12, A14). @throws CniError code 1, 6 or 7. */
export function readNetworkConfig(document: JsonObject, command: Command): NetworkConfig {
  const name = networkName(document);
  const version = document.string("cniVersion");
  requireCommand(command, version);
  const cniVersion = parseVersion(version);
  requirePossibleName(name, command);
  const previous = document.object("prevResult");
  let prevResult: Result | undefined;
  return {
    cniVersion,
    name,
    json: document,
    get prevResult() {
      if (previous !== undefined) prevResult ??= parseResult(previous, cniVersion);
      return prevResult;
    },
    validAttachments: validAttachments(document),
  };
}

/** The attachments that GC must keep. @throws CniError code 7 when the runtime sent no list (rule A39). */
export function requireValidAttachments(config: NetworkConfig): ValidAttachments {
  if (config.validAttachments !== undefined) return config.validAttachments;
  throw new CniError(
    code.invalidConfig,
    `cannot collect garbage in network ${JSON.stringify(config.name)}: "cni.dev/valid-attachments" is absent, ` +
      "and a live container must not lose its address; send the list, an empty one if no attachment is valid",
  );
}

/** The list under either of the keys that libcni sends. */
function validAttachments(document: JsonObject): ValidAttachments | undefined {
  for (const key of LIST_KEYS) {
    const list = attachments(document, key);
    if (list !== undefined) return list;
  }
  return LIST_KEYS.some((key) => document.has(key)) ? new ValidAttachments(() => []) : undefined;
}

/** A list of attachments, which was read already if it is in a large document. */
function attachments(document: JsonObject, key: string): ValidAttachments | undefined {
  const value = document.get(key);
  if (value === undefined || value instanceof ValidAttachments) return value;
  if (!Array.isArray(value)) throw wrongType(document.at(key), "an array", value);
  const list = value.map((entry, index) => attachmentOf(entry, document.at(key), index));
  return new ValidAttachments(() => list);
}
