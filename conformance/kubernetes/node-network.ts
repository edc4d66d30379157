/** What pods have on a node, by the kernel's own tools and the files of host-local and libcni. */
import { readdirSync, readFileSync } from "node:fs";
import type { Machine } from "./machine.ts";

/** The name in the list of docs/kubernetes.md. */
export const NETWORK = "pods";

/** Which container has which address, by the files of host-local: container ids by address. */
export function leases(machine: Machine): Readonly<Record<string, string>> {
  const folder = machine.pathOf(`/var/lib/cni/networks/${NETWORK}`);
  const addresses = names(folder).filter((name) => /^[\da-f.:]+$/.test(name));
  return Object.fromEntries(
    addresses.flatMap((name) => {
      // It may be given back between the two looks.
      const text = unlessGone(() => readFileSync(`${folder}/${name}`, "utf8"));
      return text === undefined ? [] : [[name, text.split(/\r?\n/)[0] ?? ""]];
    }),
  );
}

/** All that containers have on the node, one line each. Empty when there is none. */
export async function traces(machine: Machine): Promise<string[]> {
  const [links, namespaces, rules] = await Promise.all([
    machine.json<{ ifname: string; master?: string }[]>("ip -j link show type veth"),
    machine.run("ls /run/netns"),
    machine.run("iptables-save; ip6tables-save; nft list ruleset"),
  ]);
  return [
    ...Object.entries(leases(machine)).map(([address, id]) => `lease ${address} of ${id}`),
    ...names(machine.pathOf("/var/lib/cni/results")).map((name) => `kept result ${name}`),
    ...links.filter(({ ifname }) => ifname !== "eth0").map(({ ifname, master }) => `${ifname} of ${master}`),
    ...namespaces.split("\n").flatMap((name) => (name === "" ? [] : `namespace ${name}`)),
    // Both plugins name the network in each rule of a container.
    ...rules.split("\n").flatMap((line) => (OF_CONTAINER.test(line) ? `rule ${line.trim()}` : [])),
  ];
}

/** A comment of portmap's has the network's name in quotes; chains of single containers have a digest for a name. */
const OF_CONTAINER = /"pods\\?"|\bCNI-(DN-)?[\da-f]{16,}/;

const names = (folder: string): string[] => unlessGone(() => readdirSync(folder)) ?? [];

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
