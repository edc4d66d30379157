/** Makes the request of a call from its environment and stdin. A built-in delegate's is made the same way. */
import { callTimeout, decodeDocument, networkName, readNetworkConfig } from "./config.ts";
import { COMMANDS, type Command, type Invocation } from "./environment.ts";
import { CniError, code } from "./error.ts";
import type { Request } from "./plugin.ts";
import { CURRENT_VERSION, findVersion, type Version } from "./version.ts";

/** What the request takes over from the process or from the plugin that delegates. */
export type Surroundings = Pick<Request, "environment" | "delegation" | "log" | "time">;

/**
 * Checks stdin and the command in the reference's order: JSON, network name, command, version.
 * @throws CniError code 1, 4, 6 or 7.
 */
export function readRequest(invocation: Invocation, stdin: Uint8Array, surroundings: Surroundings): Request {
  const document = decodeDocument(stdin);
  networkName(document);
  const command = knownCommand(invocation.command);
  const { containerId, netns, ifname, args, path } = invocation;
  const config = readNetworkConfig(document, command);
  const timeout = callTimeout(document);
  if (timeout !== undefined) surroundings.time.limit(timeout * 1000);
  return {
    command,
    network: config.name,
    containerId,
    ifname,
    netns,
    args,
    path,
    config,
    stdin,
    ...surroundings,
  };
}

/** Rule A6. */
function knownCommand(text: string): Command {
  for (const command of COMMANDS) if (command === text) return command;
  throw new CniError(code.invalidEnvironment, `unknown CNI_COMMAND: ${text}`);
}

/** The version for an error about `stdin` (rule A17): the configuration's if it can be read and is one of ours. */
export function versionForError(stdin: Uint8Array): Version {
  try {
    return findVersion(decodeDocument(stdin).string("cniVersion")) ?? CURRENT_VERSION;
  } catch {
    return CURRENT_VERSION;
  }
}
