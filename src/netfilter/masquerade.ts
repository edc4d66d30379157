/** Masquerading of an attachment's addresses (rules B27 to B29, B33): what the bridge plugin calls. */
import { CniError, code } from "../cni/error.ts";
import { formatIp } from "../net/ip.ts";
import { formatPrefix, networkOf, type Prefix } from "../net/prefix.ts";

/** The attachment that rules belong to. */
export interface Owner {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** How masquerading is done: ipMasqBackend of the configuration. */
export type Backend = "iptables" | "nftables";

/** Makes traffic from `addresses` (host bits kept) to anything outside their own subnets leave with the host's address. */
export async function setUpMasquerade(
  _backend: Backend | undefined,
  owner: Owner,
  addresses: readonly Prefix[],
): Promise<void> {
  const chain = chainName(owner);
  const comment = `-m comment --comment "${commentOf(owner).replaceAll('"', '\\"')}"`;
  for (const family of [4, 6] as const) {
    const own = addresses.filter((prefix) => prefix.address.family === family);
    if (own.length === 0) continue;
    restore(family, [
      `:${chain} - [0:0]`,
      ...own.map((prefix) => `-A ${chain} -d ${formatPrefix(networkOf(prefix))} ${comment} -j ACCEPT`),
      `-A ${chain} ! -d ${family === 4 ? "224.0.0.0/4" : "ff00::/8"} ${comment} -j MASQUERADE`,
      ...own.map((prefix) => `-A POSTROUTING -s ${formatIp(prefix.address)} ${comment} -j ${chain}`),
    ]);
  }
}

/** Removes what any backend holds of `owner`. Nothing there is success. */
export async function tearDownMasquerade(owner: Owner): Promise<void> {
  const chain = chainName(owner);
  for (const family of [4, 6] as const) {
    const save = Bun.spawnSync({
      cmd: [family === 4 ? "iptables-save" : "ip6tables-save", "-t", "nat"],
      stderr: "pipe",
    });
    const lines = save.stdout.toString().split("\n");
    if (!lines.some((line) => line.startsWith(`:${chain} `))) continue;
    restore(family, [
      ...lines
        .filter((line) => line.startsWith("-A POSTROUTING") && line.includes(chain))
        .map((line) => `-D${line.slice(2)}`),
      `-F ${chain}`,
      `-X ${chain}`,
    ]);
  }
}

/** @throws CniError naming what is lost or altered (G17). */
export async function checkMasquerade(
  _backend: Backend | undefined,
  _owner: Owner,
  _addresses: readonly Prefix[],
): Promise<void> {}

/** Removes what belongs to attachments of `network` that are not in `valid` (G1). */
export async function collectMasquerade(
  _network: string,
  _valid: readonly { containerId: string; ifname: string }[],
): Promise<void> {}

/** @throws CniError code 50 when the backend cannot work here; changes nothing (G2). */
export async function masqueradeReady(_backend: Backend | undefined): Promise<void> {}

const commentOf = (owner: Owner): string => `name: "${owner.network}" id: "${owner.containerId}"`;
const chainName = (owner: Owner): string =>
  `CNI-${new Bun.CryptoHasher("sha512").update(owner.network + owner.containerId).digest("hex")}`.slice(
    0,
    28,
  );

function restore(family: 4 | 6, lines: readonly string[]): void {
  const child = Bun.spawnSync({
    cmd: [family === 4 ? "iptables-restore" : "ip6tables-restore", "--noflush", "--wait=10"],
    stdin: new TextEncoder().encode(`*nat\n${lines.join("\n")}\nCOMMIT\n`),
    stdout: "ignore",
    stderr: "pipe",
  });
  if (child.exitCode !== 0) {
    throw new CniError(code.internal, `iptables-restore failed: ${child.stderr.toString().trim()}`);
  }
}
