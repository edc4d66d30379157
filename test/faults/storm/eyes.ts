/** What is really on the host, by other eyes than the plugin's: lease files, sysfs, and the inside of containers. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type Outcome, outcomeOf } from "../../support/command.ts";
import type { Container } from "./model.ts";
import { LEASES } from "./networks.ts";

/** Lease files of a network: name to content. What vanishes while it is looked at is not there. */
export function leaseFiles(network: string): Map<string, string> {
  const folder = `${LEASES}/${network}`;
  const files = new Map<string, string>();
  if (!existsSync(folder)) return files;
  for (const name of readdirSync(folder)) {
    if (!/^[0-9a-f:.]+$/.test(name)) continue;
    const content = textOf(`${folder}/${name}`);
    if (content !== undefined) files.set(name, content);
  }
  return files;
}

export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** Host's interfaces by the attachment that their alias names ("NETWORK/CONTAINER/IFNAME"). */
export function linksByOwner(): Map<string, { name: string; master: string | undefined; up: boolean }> {
  const links = new Map<string, { name: string; master: string | undefined; up: boolean }>();
  for (const name of readdirSync("/sys/class/net")) {
    const folder = `/sys/class/net/${name}`;
    const [, owner] = /^bridgehead:(.*)\n?$/.exec(textOf(`${folder}/ifalias`) ?? "") ?? [];
    if (owner === undefined) continue;
    const master = /^INTERFACE=(.*)$/m.exec(textOf(`${folder}/master/uevent`) ?? "")?.[1];
    links.set(owner, { name, master, up: (Number(textOf(`${folder}/flags`)) & 1) === 1 });
  }
  return links;
}

/** What `ip` shows of one interface inside of a container. */
export interface InsideLink {
  readonly address: string;
  readonly flags: readonly string[];
  readonly addresses: readonly string[];
}

/** Interfaces of a container by name; undefined when the namespace can't be entered. */
export async function insideOf(container: Container): Promise<Map<string, InsideLink> | undefined> {
  const outcome: Outcome = await outcomeOf(["ip", "-n", container.name, "-j", "addr"]);
  if (outcome.exitCode !== 0) return undefined;
  const links = JSON.parse(outcome.stdout || "[]") as {
    ifname?: string;
    address: string;
    flags: string[];
    addr_info?: { local: string; prefixlen: number; scope: string }[];
  }[];
  return new Map(
    links.map(({ ifname = "", address, flags, addr_info = [] }) => [
      ifname,
      {
        address,
        flags,
        addresses: addr_info
          .filter(({ scope }) => scope === "global")
          .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      },
    ]),
  );
}
