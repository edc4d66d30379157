/** What the options of `run` and CAP_ARGS give to plugins that declare the capability (the CNI conventions). */
import { parseIp } from "../../net/ip.ts";
import { parseMac } from "../../net/mac.ts";
import { parsePrefix } from "../../net/prefix.ts";
import type { Document } from "../../schema/keys.ts";
import { get } from "../../schema/parse.ts";
import { CommandError, exitCode } from "../exit-codes.ts";
import { isDocument } from "../networks.ts";
import type { Chain } from "./chain.ts";

/** The options as they were written. */
export interface CapabilityOptions {
  readonly ports: readonly string[];
  readonly ips: readonly string[];
  readonly mac: string | undefined;
  /** CAP_ARGS, a JSON object, as cnitool reads it; "" if it is not set. */
  readonly capArgs: string;
}

/** The plugins that take a capability, for the remedy. */
const TAKEN_BY: Readonly<Record<string, string>> = {
  portMappings: "portmap",
  ips: 'bridge, whose "ipam" takes the address',
  mac: "bridge or tuning",
};

/** Capabilities by name. @throws CommandError for a value of the wrong form */
export function capabilityArgsOf({ ports, ips, mac, capArgs }: CapabilityOptions): Document {
  return {
    ...(capArgs !== "" && objectOf(capArgs)),
    ...(ports.length > 0 && { portMappings: ports.map(portOf) }),
    ...(ips.length > 0 && { ips: ips.map(addressOf) }),
    ...(mac !== undefined && { mac: macOf(mac) }),
  };
}

/** Refuses what no plugin of the chain would get. @throws CommandError */
export function requireCapabilities(chain: Chain, args: Document): void {
  for (const name of Object.keys(args)) {
    if (chain.plugins.some((plugin) => declares(plugin, name))) continue;
    const by = TAKEN_BY[name];
    throw wrong(
      `cannot pass ${JSON.stringify(name)}: no plugin of network ${JSON.stringify(chain.name)} declares that capability; add "capabilities": {${JSON.stringify(name)}: true} to ${by === undefined ? "the plugin that takes it" : `the plugin ${by}`} in ${chain.file}`,
    );
  }
}

/** Whether a plugin's configuration declares a capability. */
function declares(plugin: Document, name: string): boolean {
  const capabilities = get(plugin, "capabilities");
  return isDocument(capabilities) && capabilities[name] === true;
}

const FORM = /^(?:(?<host>\[[^\]]+\]|[^:[\]]+):)?(?<from>\d+):(?<to>\d+)(?:\/(?<protocol>tcp|udp|sctp))?$/;

/** "8080:80/tcp", with the host's address in front if it is not for all. @throws CommandError */
export function portOf(text: string): Document {
  const { host, from, to, protocol = "tcp" } = FORM.exec(text)?.groups ?? {};
  const [hostPort, containerPort] = [Number(from), Number(to)];
  const hostIP = host?.replace(/^\[(.*)\]$/, "$1");
  const isPort = (port: number) => port >= 1 && port <= 65535;
  if (!isPort(hostPort) || !isPort(containerPort) || (hostIP !== undefined && parseIp(hostIP) === undefined))
    throw wrong(
      `--port ${JSON.stringify(text)} is not a published port: write [ADDRESS:]HOST:CONTAINER[/PROTOCOL], as in 8080:80/tcp`,
    );
  return { hostPort, containerPort, protocol, ...(hostIP !== undefined && { hostIP }) };
}

function addressOf(text: string): string {
  if (parseIp(text) !== undefined || parsePrefix(text) !== undefined) return text;
  throw wrong(`--ip ${JSON.stringify(text)} is not an address, such as 10.1.2.3 or 10.1.2.3/24`);
}

function macOf(text: string): string {
  if (parseMac(text) !== undefined) return text;
  throw wrong(`--mac ${JSON.stringify(text)} is not a MAC address, such as 02:00:00:00:00:01`);
}

function objectOf(text: string): Document {
  try {
    const value: unknown = JSON.parse(text);
    if (isDocument(value)) return value;
  } catch {
    // Refused below.
  }
  throw wrong(`CAP_ARGS is ${JSON.stringify(text)}, not a JSON object`);
}

const wrong = (message: string): CommandError => new CommandError(exitCode.wrongUse, message);
