/**
 * The network configuration on stdin, as far as every plugin shares it (rules A9–A15, A37–A39). A plugin reads its
 * own keys from `json` with the checked accessors of json-object.ts.
 */
import { isPlainName } from "./environment.ts";
import { CniError, code } from "./error.ts";
import { JsonObject, wrongType } from "./json-object.ts";
import { describeJsonFault, describeUtf8Fault } from "./json-position.ts";
import type { Result } from "./result.ts";
import { parseResult } from "./result-parse.ts";
import { parseVersion, requireCommand, type Version } from "./version.ts";

/** One attachment of GC's list. */
export interface ValidAttachment {
  readonly containerId: string;
  readonly ifname: string;
}

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
export function parseNetworkConfig(stdin: Uint8Array): NetworkConfig {
  return readNetworkConfig(decodeDocument(stdin), "ADD");
}

/** The bytes of stdin as a JSON object (rule A9). @throws CniError code 6, saying where the fault is. */
export function decodeDocument(stdin: Uint8Array): JsonObject {
  return JsonObject.from(parseJson(stdin), "");
}

/** Any JSON value in UTF-8 bytes. @throws CniError code 6, saying where the fault is. */
export function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    // A byte order mark is no part of JSON (RFC 8259 section 8.1): the parser shall see and refuse it.
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CniError(code.decoding, `cannot decode JSON: ${describeUtf8Fault(bytes)}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new CniError(code.decoding, `cannot decode JSON: ${describeJsonFault(text)}`);
  }
}

/** The network's name (rule A10). It becomes part of paths and rules. @throws CniError code 6 or 7. */
export function networkName(document: JsonObject): string {
  const name = document.string("name") ?? "";
  if (name === "") throw new CniError(code.invalidConfig, "missing network name");
  if (!isPlainName(name))
    throw new CniError(code.invalidConfig, "invalid characters found in network name", name);
  return name;
}

/** The configuration in a document, for a known command (rules A10–A12, A14). @throws CniError code 1, 6 or 7. */
export function readNetworkConfig(document: JsonObject, command: string): NetworkConfig {
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
    validAttachments:
      attachments(document, "cni.dev/valid-attachments") ?? attachments(document, "cni.dev/attachments"),
    get prevResult(): Result | undefined {
      if (previous !== undefined) prevResult ??= parseResult(previous, cniVersion);
      return prevResult;
    },
  };
}

/** The attachments that GC must keep. @throws CniError code 7 when the runtime sent no list (rule A39). */
export function requireValidAttachments(config: NetworkConfig): readonly ValidAttachment[] {
  if (config.validAttachments !== undefined) return config.validAttachments;
  throw new CniError(
    code.invalidConfig,
    `cannot collect garbage of network ${JSON.stringify(config.name)}: the configuration has no list ` +
      `"cni.dev/valid-attachments", and without it each attachment may be a live one; send the list, empty if none is valid`,
  );
}

/** An entry without id or name could match nothing, and its container would lose its lease: it is refused. */
function attachments(document: JsonObject, key: string): ValidAttachment[] | undefined {
  return document.array(key, (value, path) => {
    const entry = JsonObject.from(value, path);
    const text = (name: string): string => {
      const found = entry.string(name) ?? "";
      if (found === "") throw wrongType(entry.at(name), "a string that is not empty", entry.get(name));
      return found;
    };
    return { containerId: text("containerID"), ifname: text("ifname") };
  });
}
