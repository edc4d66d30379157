/**
 * The network configuration on stdin, as far as every plugin shares it (rules A9–A15, A37–A39). A plugin reads its
 * own keys from `json` with the checked accessors of json-object.ts.
 */
import { CniError, code, toCniError } from "./error.ts";
import { isIdentifier } from "./identifier.ts";
import { JsonObject, wrongType } from "./json-object.ts";
import { describeJsonFault, describeUtf8Fault } from "./json-position.ts";
import type { Command } from "./plugin.ts";
import type { Result } from "./result.ts";
import { parseResult } from "./result-parse.ts";
import { parseVersion, requireCommand, type Version } from "./version.ts";

/** One attachment of GC's list. */
export interface ValidAttachment {
  readonly containerId: string;
  readonly ifname: string;
}

/** What stdin says of the network, checked as far as all plugins share it. */
export interface NetworkConfig {
  readonly cniVersion: Version;
  readonly name: string;
  /** The whole document. */
  readonly json: JsonObject;
  /** prevResult converted to the current form; undefined when the configuration has none. Parsed on first use. */
  readonly prevResult: Result | undefined;
  /** cni.dev/valid-attachments (or cni.dev/attachments); undefined when absent or null: see rule A39. */
  readonly validAttachments: readonly ValidAttachment[] | undefined;
}

/** The configuration in the bytes of stdin, complete and checked. @throws CniError code 1, 6 or 7. */
export const parseNetworkConfig = (stdin: Uint8Array): NetworkConfig =>
  readNetworkConfig(decodeDocument(stdin), "ADD");

/** The bytes of stdin as a JSON object (rule A9). @throws CniError code 6, saying where the fault is. */
export const decodeDocument = (stdin: Uint8Array): JsonObject =>
  JsonObject.from(parseJson(stdin, "the network configuration"), "");

/** To say where a fault is costs a second parser, written here: for texts that people write. */
const MOST_EXPLAINED = 64 * 1024;
/** Objects and arrays in a document. The memory that they take is many times that of their text. */
const MOST_BRACKETS = 2 ** 16;

/** Any JSON value in UTF-8 bytes; `subject` names them in errors. @throws CniError code 6, saying where the fault is. */
export function parseJson(bytes: Uint8Array, subject: string): unknown {
  if (bytes.length > MOST_BRACKETS) refuseCrowd(bytes, subject);
  let text: string;
  try {
    // A byte order mark is no part of JSON (RFC 8259 section 8.1): the parser shall see and refuse it.
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CniError(code.decoding, `cannot decode ${subject}: ${describeUtf8Fault(bytes)}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const place = text.length > MOST_EXPLAINED ? undefined : describeJsonFault(text);
    throw new CniError(code.decoding, `cannot decode ${subject}: ${place ?? toCniError(error).message}`);
  }
}

function refuseCrowd(bytes: Uint8Array, subject: string): void {
  let count = 0;
  for (const bracket of [0x5b, 0x7b]) {
    for (let at = bytes.indexOf(bracket); at >= 0; at = bytes.indexOf(bracket, at + 1)) {
      if (++count <= MOST_BRACKETS) continue;
      throw new CniError(
        code.decoding,
        `cannot decode ${subject}: more than ${MOST_BRACKETS} objects and arrays`,
      );
    }
  }
}

/** The network's name (rule A10). It becomes part of paths and rules. @throws CniError code 6 or 7. */
export function networkName(document: JsonObject): string {
  const name = document.string("name") ?? "";
  if (name === "") throw new CniError(code.invalidConfig, "missing network name");
  if (isIdentifier(name)) return name;
  throw new CniError(code.invalidConfig, "invalid characters found in network name", name);
}

/** The configuration in a document, for a known command (rules A10–A12, A14). @throws CniError code 1, 6 or 7. */
export function readNetworkConfig(document: JsonObject, command: Command): NetworkConfig {
  const name = networkName(document);
  const version = document.string("cniVersion");
  requireCommand(command, version);
  const cniVersion = parseVersion(version);
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
    validAttachments:
      attachments(document, "cni.dev/valid-attachments") ?? attachments(document, "cni.dev/attachments"),
  };
}

/** The attachments that GC must keep. @throws CniError code 7 when the runtime sent no list (rule A39). */
export function requireValidAttachments(config: NetworkConfig): readonly ValidAttachment[] {
  if (config.validAttachments !== undefined) return config.validAttachments;
  throw new CniError(
    code.invalidConfig,
    `cannot collect garbage in network ${JSON.stringify(config.name)}: "cni.dev/valid-attachments" is absent or null, ` +
      "and a live container must not lose its address; send the list, an empty one if no attachment is valid",
  );
}

/** A list of attachments. An entry without id or name would protect none: it is refused. */
const attachments = (document: JsonObject, key: string): ValidAttachment[] | undefined =>
  document.array(key, (value, path) => {
    const entry = JsonObject.from(value, path);
    return { containerId: requiredText(entry, "containerID"), ifname: requiredText(entry, "ifname") };
  });

function requiredText(entry: JsonObject, key: string): string {
  const text = entry.string(key);
  if (text) return text;
  throw wrongType(entry.at(key), "a string that is not empty", text);
}
