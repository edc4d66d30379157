/** Which attachments hold addresses, by the lease files of all networks (F30, F31). */
import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LeaseHolders } from "../../src/leases/holders.ts";
import { formatIp, type IpAddress, parseIp } from "../../src/net/ip.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Leases as `{ network: { file: content } }`. */
function leases(networks: Readonly<Record<string, Readonly<Record<string, string>>>>): LeaseHolders {
  const folder = mkdtempSync(join(tmpdir(), "holders-"));
  folders.push(folder);
  for (const [network, files] of Object.entries(networks)) {
    mkdirSync(join(folder, network));
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(folder, network, name), content, { mode: 0o600 });
  }
  return new LeaseHolders(folder);
}

const ip = (text: string): IpAddress => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return address;
};

const NETWORKS = {
  net1: {
    "10.1.2.3": "c1\r\neth0",
    "fd00::3": "c1\r\neth0",
    "10.1.2.4": "c1\r\neth1",
    "10.1.2.5": "c2",
    "last_reserved_ip.0": "10.1.2.9",
    "last_reserved_ip.1": "nonsense",
    lock: "",
  },
  net2: { "10.1.2.3": "c9\r\neth0" },
};

test("F30: the addresses of an attachment, also in the format without an interface", () => {
  const holders = leases(NETWORKS);
  const of = (containerId: string, ifname: string, network = "net1") =>
    holders.addressesOf({ network, containerId, ifname }).map(formatIp).sort();
  expect(of("c1", "eth0")).toEqual(["10.1.2.3", "fd00::3"]);
  expect(of("c1", "eth1")).toEqual(["10.1.2.4"]);
  expect(of("c2", "eth0")).toEqual(["10.1.2.5"]);
  expect(of("c1", "eth0", "net3")).toEqual([]);
});

test("F30: the holders of an address in all networks", () => {
  const holders = leases(NETWORKS);
  const ids = (text: string) =>
    holders
      .holdersOf(ip(text))
      .map(({ containerId }) => containerId)
      .sort();
  expect(ids("10.1.2.3")).toEqual(["c1", "c9"]);
  expect(ids("fd00::3")).toEqual(["c1"]);
  expect(ids("10.1.2.6")).toEqual([]);
});

test("F31: the traces of a network's ranges; a missing folder has none", () => {
  const holders = leases(NETWORKS);
  expect(holders.tracesOf("net1").map(formatIp).sort()).toEqual([
    "10.1.2.3",
    "10.1.2.4",
    "10.1.2.5",
    "10.1.2.9",
    "fd00::3",
  ]);
  expect(holders.tracesOf("net3")).toEqual([]);
  expect(new LeaseHolders("/nonexistent").holdersOf(ip("10.1.2.3"))).toEqual([]);
});
