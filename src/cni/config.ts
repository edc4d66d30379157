/**
 * The network configuration on stdin, as far as every plugin shares it (rules A9–A15). A plugin reads its own keys from
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

/** What stdin says of the network, checked as far as all plugins share it. */
export interface NetworkConfig {
  readonly cniVersion: Version;
  readonly name: string;
  /** Seconds of the whole call. */
  readonly callTimeout: number;
  /** The whole document. */
  readonly json: Document;
  /** prevResult converted to the current form; undefined when the configuration has none. Parsed on first use. */
  readonly prevResult: Result | undefined;
  /** cni.dev/valid-attachments (or cni.dev/attachments): null is libcni's empty list, undefined is absent (rule A39). */
  readonly validAttachments: ValidAttachments | undefined;
}

/**
 * Bytes that a configuration can have. GC's lists a million attachments twice, with ids of 64 characters; that of any
 * other command is about one attachment, whose previous result may have 250,000 routes and addresses.
 */
export const mostBytes = (command: string | undefined): number => (command === "GC" ? 2 ** 28 : MOST_BYTES);

/** Bytes of a configuration without GC's lists. */
const MOST_BYTES = 2 ** 24;

/** Bytes from where on GC's lists are read piece by piece. */
const LARGE = 2 ** 20;

const SUBJECT = "the network configuration";

/** The bytes of stdin as a JSON object (rule A9). @throws CniError code 6, saying where the fault is; KeyError */
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
  // Only an object has such keys.
  return objectOf(lists.size === 0 ? document : Object.assign(document ?? {}, Object.fromEntries(lists)), "");
}

function divided(stdin: Uint8Array) {
  try {
    return takeLists(stdin);
  } catch (error) {
    throw error instanceof SyntaxError || error instanceof TypeError ? notJson(stdin, SUBJECT, error) : error;
  }
}

/** The version for an error about `stdin` (rule A17): the configuration's if it can be read and is one of ours. */
export function versionForError(stdin: Uint8Array): Version {
  try {
    const version = get(decodeDocument(stdin), "cniVersion");
    if (version === undefined || typeof version === "string") return findVersion(version) ?? CURRENT_VERSION;
  } catch {
    // It is not even an object.
  }
  return CURRENT_VERSION;
}

/** Bytes of a network's name: it becomes a file's name, in the leases and in what runtimes keep (NAME_MAX of limits.h). */
const MAX_NETWORK_BYTES = 255;

/**
 * The configuration in a document. Checked in the reference's order: the network's name (rule A10), which becomes part of
 * paths and rules, the command, the version. A name that is too long is refused where something would be made under it;
 * what was made under it by others, with an IPAM plugin that makes no file of the name, can be checked and removed.
 * @throws KeyError, CniError code 1, 4, 6 or 7
 */
export function readNetworkConfig(document: Document, command: string): NetworkConfig {
  const { name } = parse(NETWORK_KEYS, document);
  if (name === "") throw new CniError(code.invalidConfig, "missing network name");
  if (!isIdentifier(name))
    throw new CniError(code.invalidConfig, "invalid characters found in network name", name);
  requireKnown(command);
  const { cniVersion: version, prevResult: previous, callTimeout } = sharedKeys(document);
  requireCommand(command, version);
  const cniVersion = parseVersion(version);
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

/** The attachments that GC must keep. @throws CniError code 7 when the runtime sent no list (rule A39) */
export function requireValidAttachments({ name, validAttachments }: NetworkConfig): ValidAttachments {
  if (validAttachments !== undefined) return validAttachments;
  throw new CniError(
    code.invalidConfig,
    `cannot collect garbage in network ${JSON.stringify(name)}: "cni.dev/valid-attachments" is absent, ` +
      "and a live container must not lose its address; send the list, an empty one if no attachment is valid",
  );
}

/** The previous result, for CHECK, which has nothing to go by without it. @throws CniError code 7 */
export function requirePrevResult({ prevResult }: NetworkConfig): Result {
  if (prevResult !== undefined) return prevResult;
  throw new CniError(
    code.invalidConfig,
    "Required prevResult missing: CHECK compares the network with the result of ADD",
  );
}
