/**
 * K2, K3: the built plugin with names from one character to the longest, any Unicode included, in pairs that are one
 * when joined: ADD, CHECK, DEL and GC, judged by ip, iptables-save, nft and the files of the leases.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { linkNameProblem } from "../../../src/links/link-name.ts";
import { outcomeOf } from "../../support/command.ts";
import { hostTest } from "../../support/host-test.ts";
import {
  collidingAttachments,
  collidingContainers,
  interfaceNames,
  LONGEST_ID,
  LONGEST_NETWORK,
  seeded,
} from "../../support/names.ts";
import { builtBinaries, environmentOf, type PluginOutcome } from "../../support/plugin-call.ts";
import { type NamedNamespace, type ScratchHost, withScratchHost } from "../../support/scratch-host.ts";
import { Attachment, hostLocal, listing, STAYS, V4, V6 } from "./network.ts";

/** Both networks keep their leases where their names say. */
const MAY_STAY = [...STAYS, /^file \/var\/lib\/cni\//];

interface Names {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** Names in /proc/net/dev: `ip -j` prints what is not JSON when a name has control characters. */
const interfacesIn = (list: string): string[] =>
  list.split("\n").flatMap((line) => /^ *(.*?):/s.exec(line)?.[1] ?? []);

class NamedAttachment extends Attachment {
  readonly network: string;

  constructor(
    host: ScratchHost,
    { network, containerId, ifname }: Names,
    namespace: NamedNamespace,
    keys: object,
  ) {
    super(host, namespace, { name: network, ipam: undefined, ...keys }, { containerId, ifname });
    this.network = network;
  }

  async must(command: string, keys: object = {}): Promise<PluginOutcome> {
    const outcome = await this.call(command, keys);
    expect(`${command}: ${outcome}`.slice(0, 2000)).toStartWith(`${command}: exit code 0`);
    return outcome;
  }

  /** What the kernel's own list says of the interface. */
  async isThere(): Promise<boolean> {
    return interfacesIn(await this.namespace.run("cat /proc/net/dev")).includes(this.ifname);
  }

  /** The lease files of the attachment. */
  leases(): string[] {
    const folder = `/var/lib/cni/networks/${this.network}`;
    const content = `${this.containerId}\r\n${this.ifname}`;
    return readdirSync(folder).filter((name) => readFileSync(`${folder}/${name}`, "utf8") === content);
  }
}

const masquerading = (backend: string) => ({
  isGateway: true,
  ipMasq: true,
  ipMasqBackend: backend,
  macspoofchk: true,
  ipam: hostLocal(V4, V6),
});

const KINDS: readonly [string, object][] = [
  ["layer 2", {}],
  ["layer 2, with a spoof check", { macspoofchk: true }],
  ["nftables", masquerading("nftables")],
  ["iptables", masquerading("iptables")],
];

/** Two attachments through their lives: what is done with one changes nothing of the other. */
async function live(host: ScratchHost, pair: readonly [Names, Names], keys: object): Promise<void> {
  const one = new NamedAttachment(host, pair[0], await host.addNamespace("one"), keys);
  const two = new NamedAttachment(host, pair[1], await host.addNamespace("two"), keys);
  for (const attachment of [one, two]) {
    await attachment.add();
    expect(await attachment.isThere()).toBe(true);
  }
  await one.check();
  await two.check();
  await one.must("DEL", { prevResult: one.result });
  await one.must("DEL");
  expect([await one.isThere(), await two.isThere()]).toEqual([false, true]);
  await two.check();
  if ("ipam" in keys) expect([one.leases(), two.leases().length]).toEqual([[], 2]);
  // A GC of either network keeps what is listed.
  const { containerId: containerID, ifname } = two;
  await two.must("GC", { "cni.dev/valid-attachments": [{ containerID, ifname }] });
  // With an empty list those that live would stay (rule A39).
  if (one.network !== two.network) await one.must("GC", listing("other"));
  await two.check();
  expect(await two.isThere()).toBe(true);
  await two.must("GC", listing("other"));
  expect(await two.isThere()).toBe(false);
  await two.must("DEL");
  if ("ipam" in keys) expect(two.leases()).toEqual([]);
}

/** The bridge that stays would be another one to the next case. */
const withCase = (body: (host: ScratchHost) => Promise<void>): Promise<void> =>
  withScratchHost(
    async (host) => {
      await body(host);
      await host.removeNamespaces();
    },
    { mayKeep: MAY_STAY },
  );

describe.each(KINDS)("%s", (_, keys) => {
  test("any names, in pairs that are one when joined", async () => {
    const named = fc.oneof(
      fc
        .tuple(collidingContainers, interfaceNames, interfaceNames)
        .map(([[a, b], one, two]): [Names, Names] => [
          { ...a, ifname: one },
          { ...b, ifname: two },
        ]),
      collidingAttachments(interfaceNames),
    );
    await fc.assert(
      fc.asyncProperty(named, (pair) => withCase((host) => live(host, pair, keys))),
      seeded(4),
    );
  });

  test("the shortest and the longest", async () => {
    const shortest = { network: "n", containerId: "c", ifname: "e" };
    const longest = {
      network: "n".repeat(LONGEST_NETWORK),
      containerId: "c".repeat(LONGEST_ID),
      ifname: "…".repeat(5),
    };
    await withCase((host) => live(host, [shortest, longest], keys));
  });
});

test("a second DEL of one leaves the spoof check of the Go plugin's that has the same names", () =>
  withCase(async (host) => {
    // As v1.9.1 leaves it, on a port without our alias.
    await host.run(`
      ip link add p1 type bridge
      nft 'add table bridge nat; add chain bridge nat PREROUTING { type filter hook prerouting priority -300; policy accept; }
        add chain bridge nat cni-br-iface-a-b-c-mac; add rule bridge nat cni-br-iface-a-b-c-mac drop comment "macspoofchk-a-b-c"
        add chain bridge nat cni-br-iface-a-b-c; add rule bridge nat cni-br-iface-a-b-c jump cni-br-iface-a-b-c-mac
        add rule bridge nat PREROUTING iifname "p1" jump cni-br-iface-a-b-c comment "macspoofchk-a-b-c"'`);
    const before = await host.run("nft -s list ruleset");
    const names = { network: "net", containerId: "a", ifname: "b-c" };
    const attachment = new NamedAttachment(host, names, await host.addNamespace("one"), {
      macspoofchk: true,
    });
    await attachment.must("DEL");
    await attachment.add();
    await attachment.check();
    await attachment.must("DEL");
    await attachment.must("DEL");
    expect(await host.run("nft -s list ruleset")).toBe(before);
    // With the namespace out of reach it is taken for the attachment's: the Go plugin's port says no owner.
    await host.run("ip netns delete one");
    await attachment.must("DEL");
    expect(await host.run("nft list ruleset")).not.toContain("cni-br-iface");
    await host.run("ip link delete p1; nft delete table bridge nat");
  }));

describe("beyond the limits nothing is touched", () => {
  const refused = (names: Partial<Names>, command: string, expected: object | undefined) =>
    withCase(async (host) => {
      const whole = { network: "net", containerId: "c", ifname: "eth0", ...names };
      const namespace = await host.addNamespace("one");
      const attachment = new NamedAttachment(host, whole, namespace, masquerading("nftables"));
      const outcome = await host.unchangedBy(() => attachment.call(command));
      if (expected === undefined) expect(`${outcome}`).toBe('exit code 0, stdout "", stderr ""');
      else expect(outcome.json()).toMatchObject(expected);
    });

  test.each(["é".repeat(8), "sixteen-bytes-xx", "à", "all", "default", "eth%d", "%"])(
    "interface name %j: code 4 of ADD",
    async (ifname) => {
      await refused({ ifname }, "ADD", { code: 4 });
      // What the protocol permits can be deleted: there is nothing of it.
      if (new TextEncoder().encode(ifname).length <= 15) await refused({ ifname }, "DEL", undefined);
    },
  );

  test("network name of 256 bytes: code 7 of ADD, and DEL has nothing to do", async () => {
    const network = "n".repeat(LONGEST_NETWORK + 1);
    await refused({ network }, "ADD", { code: 7 });
    await refused({ network }, "STATUS", { code: 7 });
    await refused({ network }, "DEL", undefined);
  });

  test("an interface name of bytes that are not UTF-8: code 4", () =>
    withCase(async (host) => {
      const { path: netns } = await host.addNamespace("one");
      const stdin = JSON.stringify({ cniVersion: "1.1.0", name: "n", type: "bridge", bridge: "br0" });
      const call = (command: string, octal: string) =>
        outcomeOf(`CNI_IFNAME="$(printf '${octal}')" exec ${builtBinaries()}/bridge`, {
          stdin,
          env: environmentOf({ command, containerId: "c", netns }),
        });
      await host.unchangedBy(async () => {
        for (const command of ["ADD", "DEL"]) {
          const { exitCode, stdout } = await call(command, "a\\377");
          const msg = "interface name is not UTF-8: CNI_IFNAME has other bytes";
          expect([exitCode, JSON.parse(stdout)]).toMatchObject([1, { code: 4, msg }]);
        }
      });
      // The character that such bytes read as is one like others.
      for (const command of ["ADD", "DEL"]) {
        const { exitCode, stdout } = await call(command, "a\\357\\277\\275");
        expect([exitCode, command === "ADD" || stdout === ""]).toEqual([0, true]);
      }
    }));
});

hostTest("the kernel takes the names that it is said to take, and no others", async (host) => {
  const taken = [
    ...["a", "é", "…", "\u{1f600}", "\ufeff", "\u2003x", "\u0001", "\u007f", '"', "\\", "-", "--"],
    "!",
  ];
  const bytes = ["sixteen-bytes-xx", "é".repeat(8)];
  const others = ["à", "\u00a0", "all", "default", "a b", "a%", "%d", "a:b", ".", "..", ...bytes];
  const links = async () => interfacesIn(await host.run("cat /proc/net/dev"));
  for (const name of [...taken, ...others]) {
    const before = await links();
    await outcomeOf(["ip", "link", "add", "name", name, "type", "bridge"]);
    const made = (await links()).filter((one) => !before.includes(one));
    for (const one of made) await outcomeOf(["ip", "link", "delete", "dev", one]);
    expect([name, linkNameProblem(name) === undefined]).toEqual([name, made.includes(name)]);
  }
});
