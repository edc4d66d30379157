/**
 * Reads the part of the network configuration that all plugins share (rules A9–A15). A plugin reads its own keys from
 * `json` with readKeys of keys.ts.
 */
import { KeyError } from "../schema/key-error.ts";
import type { Document, Parsed } from "../schema/keys.ts";
import { get, objectOf, parse } from "../schema/parse.ts";
import { takeLists, validAttachments } from "./attachment-lists.ts";
import type { ValidAttachments } from "./attachments.ts";
import { requireKnown } from "./environment.ts";
import { CniError, code } from "./error.ts";
import { isIdentifier } from "./identifier.ts";
import { notJson, parseJson } from "./json-bytes.ts";
import { NETWORK_KEYS, SHARED_KEYS } from "./keys.ts";
import type { Result } from "./result.ts";
import { parseResult } from "./result-parse.ts";
import { CURRENT_VERSION, findVersion, type Version } from "./version.ts";
import { parseVersion, requireCommand } from "./version-check.ts";

/** A network configuration whose shared keys are checked. */
export interface NetworkConfig {
  readonly cniVersion: Version;
  readonly name: string;
  /** Time limit of the whole call, in seconds. */
  readonly callTimeout: number;
  /** The whole document. */
  readonly json: Document;
  /** prevResult in the current form; undefined when the configuration has none. Parsed on first use. */
  readonly prevResult: Result | undefined;
  /** The list for GC; undefined when the runtime sent none (rule A39). */
  readonly validAttachments: ValidAttachments | undefined;
}

/**
 * The most bytes of a configuration. For GC they hold a million attachments twice, with ids of 64 characters; for any
 * other command one attachment, whose previous result has up to 250,000 routes and addresses.
 */
export const mostBytes = (command: string | undefined): number => (command === "GC" ? 2 ** 28 : MOST_BYTES);

/** The most bytes of a configuration without GC's lists. */
const MOST_BYTES = 2 ** 24;

/** Above so many bytes, GC's lists are read in pieces. */
const LARGE = 2 ** 20;

const SUBJECT = "the network configuration";

/** The bytes of stdin as a JSON object (rule A9). @throws CniError code 6 with the place of the fault; KeyError */
export function decodeDocument(stdin: Uint8Array): Document {
  if (stdin.length <= LARGE) return objectOf(parseJson(stdin, SUBJECT), "");
  const { rest, lists } = divided(stdin);
  if (rest.length > MOST_BYTES) {
    throw new CniError(
      code.decoding,
      `cannot decode ${SUBJECT}: more than ${MOST_BYTES} bytes beside the lists of attachments`,
    );
  }
  const document = parseJson(rest, SUBJECT, stdin);
  // If there are lists, the document is an object.
  return objectOf(lists.size === 0 ? document : Object.assign(document ?? {}, Object.fromEntries(lists)), "");
}

function divided(stdin: Uint8Array) {
  try {
    return takeLists(stdin);
  } catch (error) {
    throw error instanceof SyntaxError || error instanceof TypeError ? notJson(stdin, SUBJECT, error) : error;
  }
}

/** The version for an error about `stdin` (rule A17): the configuration's, if it can be read and is supported. */
export function versionForError(stdin: Uint8Array): Version {
  try {
    const version = get(decodeDocument(stdin), "cniVersion");
    if (version === undefined || typeof version === "string") return findVersion(version) ?? CURRENT_VERSION;
  } catch {
    // Stdin is not a JSON object.
  }
  return CURRENT_VERSION;
}

/** A network's name becomes the name of a directory of leases and of files of runtimes (NAME_MAX of limits.h). */
const MAX_NETWORK_BYTES = 255;

/**
 * The configuration in a document. The checks have the reference's order: the network's name (rule A10), the command, the
 * version. Only ADD and STATUS refuse a name that is too long: another plugin's attachment with such a name, made with
 * an IPAM plugin that does not use it as a file name, can still be checked and removed.
 * @param oldest the first version that the plugin supports, if not all. @throws KeyError, CniError code 1, 4, 6 or 7
 */
export function readNetworkConfig(document: Document, command: string, oldest?: Version): NetworkConfig {
  const { name } = parse(NETWORK_KEYS, document);
  if (name === "") throw new CniError(code.invalidConfig, "missing network name");
  if (!isIdentifier(name))
    throw new CniError(code.invalidConfig, "invalid characters found in network name", name);
  requireKnown(command);
  const { cniVersion: version, prevResult: previous, callTimeout } = sharedKeys(document);
  requireCommand(command, version);
  const cniVersion = parseVersion(version, oldest);
  if (name.length > MAX_NETWORK_BYTES && (command === "ADD" || command === "STATUS")) {
    throw new CniError(
      code.invalidConfig,
      `network name is too long: "name" has ${name.length} bytes, at most ${MAX_NETWORK_BYTES} are allowed`,
      name,
    );
  }
  let prevResult: Result | undefined;
  return {
    cniVersion,
    name,
    callTimeout,
    json: document,
    get prevResult() {
      if (previous !== undefined) prevResult ??= parseResult(previous, "prevResult", cniVersion);
      return prevResult;
    },
    validAttachments: validAttachments(document),
  };
}

/** The keys of every configuration. The error of `callTimeout` adds its unit and its default. @throws KeyError */
function sharedKeys(document: Document): Parsed<typeof SHARED_KEYS> {
  try {
    return parse(SHARED_KEYS, document);
  } catch (error) {
    if (!(error instanceof KeyError) || error.path !== "callTimeout" || !error.isOfValue) throw error;
    const { path, expected, value } = error;
    const rule = "must be whole seconds between 1 and 3600; 20 when it is left out";
    throw new KeyError(path, expected, value, `invalid ${path} ${value} (${rule})`);
  }
}

/** The `ipam` section. @throws CniError code 7 when there is none */
export function ipamOf({ json }: NetworkConfig): unknown {
  const ipam = get(json, "ipam");
  if (ipam === undefined) throw new CniError(code.invalidConfig, "IPAM config missing 'ipam' key");
  return ipam;
}

/** The attachments that GC must keep. @throws CniError code 7 when the runtime sent no list (rule A39) */
export function requireValidAttachments({ name, validAttachments }: NetworkConfig): ValidAttachments {
  if (validAttachments !== undefined) return validAttachments;
  throw new CniError(
    code.invalidConfig,
    `cannot collect garbage in network ${JSON.stringify(name)}: "cni.dev/valid-attachments" is absent, ` +
      "and a live container must not lose its address; send the list, an empty one if no attachment is valid",
  );
}

/** The previous result, which CHECK compares the network with. `reason` says why there must be one. @throws CniError code 7 */
export function requirePrevResult(
  { prevResult }: NetworkConfig,
  reason = "CHECK compares the network with the result of ADD",
): Result {
  if (prevResult !== undefined) return prevResult;
  throw new CniError(code.invalidConfig, `Required prevResult missing: ${reason}`);
}
