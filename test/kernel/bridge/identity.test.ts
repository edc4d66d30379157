/**
 * DEL finds an attachment by what its pair carries, whatever its links are called now and wherever they are (K6), touches
 * no other pair, and no address is freed that an interface still has.
 */
import { describe, expect } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { eventually } from "../../support/eventually.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import { rows } from "../../support/rows.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import { addByGo, type GoAttachment } from "./go-attachment.ts";
import {
  type AddResult,
  Attachment,
  attach,
  BRIDGE,
  hostCall,
  hostLocal,
  LEASES,
  leased,
  linkNames,
  listing,
  networkTest,
  prepare,
  type ShownLink,
  shownLink,
  V4,
} from "./network.ts";

const KEYS = { isGateway: true };

const vethsIn = (place: ScratchHost | NamedNamespace) => linkNames(place, "type veth");
const veths = (host: ScratchHost) => host.json<ShownLink[]>("ip -j -d link show type veth");
/** These are the pairs of the host, and the addresses that are held. */
const expectOnly = async (host: ScratchHost, links: string[], addresses: string[]) =>
  expect({ links: await vethsIn(host), addresses: leased() }).toEqual({ links, addresses });
/** Containers of these names, attached one after the other. */
const attachAll = async (host: ScratchHost, ids: readonly string[], keys: object = KEYS) => {
  const all: Attachment[] = [];
  for (const id of ids) all.push(await attach(host, id, keys));
  return all as [Attachment, Attachment];
};

/**
 * What happens to a pair after its ADD. VETH is the host's end; the container is c1, and another namespace, c3, is
 * beside it.
 */
const FATES = rows<[string, string]>(`
  the host's end renamed => RENAME; ip link set pod7 up
  the host's end renamed, its name given to another link => RENAME; ip link add VETH type bridge
  the container's end renamed => INSIDE
  both ends renamed => RENAME; INSIDE
  the container's end in another namespace, with its address => ip -n c1 link set eth0 netns c3; ip -n c3 addr add 10.77.0.2/24 dev eth0
  the alias taken away => ip link set VETH alias ""
  the alias changed and the host's end renamed => RENAME alias "uplink of pod 7"
  the host's end on another bridge => ip link add br9 type bridge; ip link set VETH down name pod7 master br9
  the host's end on no bridge => ip link set VETH nomaster down name pod7
  another address in the container => RENAME; ip -n c1 addr flush dev eth0; ip -n c1 addr add 10.77.0.99/24 dev eth0
`);
const SHORT: Record<string, string> = {
  RENAME: "ip link set VETH down; ip link set VETH name pod7",
  INSIDE: "ip -n c1 link set eth0 down; ip -n c1 link set eth0 name net1",
};
const befall = (host: ScratchHost, fate: string, veth: string) =>
  host.run(fate.replaceAll(/RENAME|INSIDE/g, (word) => SHORT[word] ?? "").replaceAll("VETH", veth));

describe("K6: DEL removes the pair, and frees its address, with", () => {
  networkTest.each(
    FATES.flatMap(([what, fate]) => ["", undefined].map((netns) => [what, netns, fate] as const)),
  )("%s, CNI_NETNS %p", async (host, _, netns, fate) => {
    const neighbour = await attach(host, "c0", KEYS);
    expect(neighbour.result.ips[0]?.address).toBe("10.77.0.2/24");
    await neighbour.del();
    const [one, other] = await attachAll(host, ["c1", "c2"]);
    expect((await vethsIn(host)).length).toBe(2);
    await host.addNamespace("c3");
    await befall(host, fate, one.veth);
    await one.del(netns);
    await expectOnly(
      host,
      [other.veth],
      other.result.ips.map(({ address }) => address.replace("/24", "")),
    );
    await other.check();
    await one.del(netns);
    await other.del();
    await host.run(`ip link del br9; ip link del ${one.veth}; true`);
  });

  networkTest("the host's end in another namespace", async (host) => {
    const one = await attach(host, "c1", KEYS);
    const other = await host.addNamespace("c2");
    await host.run(`ip link set ${one.veth} netns c2`);
    await one.del();
    for (const place of [other, one.namespace]) expect(await vethsIn(place)).toEqual([]);
    expect(leased()).toEqual([]);
  });

  networkTest("the name taken at ADD and free later", async (host) => {
    const one = await attach(host, "c1", KEYS);
    const name = one.veth;
    await one.del();
    await host.run(`ip link add ${name} type veth peer name foreign0`);
    await one.add();
    expect(one.veth).not.toBe(name);
    await host.run(`ip link del ${name}`);
    await one.del("");
    await expectOnly(host, [], []);
  });
});

describe("K6: an address stays held while the interface lives on where DEL and GC can't remove it:", () => {
  const RENAMED = "the bridge renamed";
  const FATES_BEYOND = rows<[string, string]>(`
    the host's end in another namespace => ip link set VETH netns c3
    the host's end in another namespace, the container's on the host => ip link set VETH netns c3; ip -n c1 link set eth0 netns 1; ip addr add 10.77.0.3/24 dev eth0
    ${RENAMED} => ip link set ${BRIDGE} down; ip link set ${BRIDGE} name br7 up
  `);
  // What is marked as ours is found on a bridge of any name, and removed.
  const CASES = FATES_BEYOND.flatMap(([what, fate]) =>
    (what === RENAMED ? ["the Go plugins"] : ["the Go plugins", "ours"]).map(
      (by) => [what, by, fate] as const,
    ),
  );

  networkTest.each(CASES)("%s, made by %s", async (host, _, by, fate) => {
    const keeper = await attach(host, "c0", KEYS);
    const one = await prepare(host, "c1", KEYS);
    if (by === "ours") await one.add();
    const veth = by === "ours" ? one.veth : (await addByGo(host, one.namespace, "10.77.0.3")).veth;
    await host.addNamespace("c3");
    await befall(host, fate, veth);
    const { msg } = await one.failure("DEL", {}, "");
    expect(msg).toContain("is still there, and another container must not get its address");
    expect(leased()).toEqual(["10.77.0.2", "10.77.0.3"]);
    const collected = await hostCall(host, "GC", { ...KEYS, ...listing("c0") });
    expect(`${collected}`).toStartWith("exit code 0");
    expect(collected.stderr).toContain("10.77.0.3 of container c1, interface eth0 is kept");
    expect(leased()).toEqual(["10.77.0.2", "10.77.0.3"]);
    await host.run(
      `ip link del ${veth} || ip -n c3 link del ${veth}; ip link set br7 down name ${BRIDGE} up; true`,
    );
    await one.del("");
    expect(leased()).toEqual(["10.77.0.2"]);
    await keeper.del();
  });

  networkTest(
    "an interface of the Go plugins that was moved to the host with its address is the attachment's, and goes",
    async (host) => {
      const keeper = await attach(host, "c0", KEYS);
      const one = await prepare(host, "c1", KEYS);
      await addByGo(host, one.namespace, "10.77.0.3");
      await host.run("ip -n c1 link set eth0 netns 1; ip addr add 10.77.0.3/24 dev eth0");
      await one.del("");
      await expectOnly(host, [keeper.veth], ["10.77.0.2"]);
      await keeper.del();
    },
  );

  networkTest("a pair whose other end is in a namespace that has ended holds nothing", async (host) => {
    const one = await attach(host, "c1", KEYS);
    await host.addNamespace("c3");
    await host.run(`ip link set ${one.veth} netns c3; ip netns del c1`);
    await one.del("");
    expect(leased()).toEqual([]);
  });
});

describe("K6: DEL leaves alone", () => {
  networkTest(
    "two interfaces of one container that have swapped their names: each goes with its own DEL",
    async (host) => {
      const one = await attach(host, "c1", KEYS);
      const two = new Attachment(host, one.namespace, KEYS, { ifname: "eth1" });
      await two.add();
      await one.namespace.run(
        "ip link set eth0 down name x; ip link set eth1 down name eth0; ip link set x name eth1",
      );
      await one.del();
      await expectOnly(host, [two.veth], ["10.77.0.3"]);
      await two.del();
      expect(await vethsIn(host)).toEqual([]);
    },
  );

  /** Makes the path of one namespace lead to another. */
  const rebind = (host: ScratchHost, { path }: NamedNamespace, to: NamedNamespace) =>
    host.run(`umount ${path}; mount --bind ${to.path} ${path}`);

  networkTest("a stranger of ours in the namespace that the path leads to now", async (host) => {
    const one = await attach(host, "c1", KEYS);
    const stranger = await prepare(host, "c2", KEYS);
    await rebind(host, one.namespace, stranger.namespace);
    await stranger.add();
    expect((await vethsIn(host)).length).toBeLessThanOrEqual(2);
    await one.del();
    expect(await vethsIn(host)).not.toContain(one.veth);
    await stranger.check();
    expect(leased()).toEqual(["10.77.0.3"]);
    await stranger.del();
  });

  networkTest("a stranger of the Go plugins there, by what ADD reported", async (host) => {
    const keeper = await attach(host, "c0", KEYS);
    const [one, two] = [await prepare(host, "c1", KEYS), await prepare(host, "c2", KEYS)];
    const { result } = await addByGo(host, one.namespace, "10.77.0.10");
    const stranger = await addByGo(host, two.namespace, "10.77.0.11");
    await rebind(host, one.namespace, two.namespace);
    expect(`${await one.call("DEL", { prevResult: result })}`).toStartWith("exit code 0");
    expect(await vethsIn(host)).toEqual([keeper.veth, stranger.veth].sort());
    expect(await vethsIn(two.namespace)).toEqual(["eth0"]);
    expect(leased()).toEqual(["10.77.0.11", "10.77.0.2"]);
    await two.del();
    await keeper.del();
  });

  networkTest("a pair between two other namespaces whose links have the same numbers", async (host) => {
    const keeper = await attach(host, "c0", KEYS);
    const { ifindex: index } = await shownLink(host, keeper.veth);
    const { ifindex: end } = await shownLink(keeper.namespace, "eth0");
    const [inner] = [await prepare(host, "inner", KEYS), await host.addNamespace("outer")];
    await host.run(
      `ip -n outer link add index ${index} name other0 type veth peer name eth0 index ${end} netns inner`,
    );
    await inner.del();
    expect(await vethsIn(inner.namespace)).toEqual(["eth0"]);
    // Not the attachment whose links have these numbers either.
    await inner.del();
    expect(await vethsIn(host)).toEqual([keeper.veth]);
    await keeper.del();
  });
});

describe("K6: an attachment of the Go plugins", () => {
  const withGo = async (host: ScratchHost, body: (one: Attachment, made: GoAttachment) => Promise<void>) => {
    const keeper = await attach(host, "c0", KEYS);
    const one = await prepare(host, "c1", KEYS);
    const made = await addByGo(host, one.namespace, "10.77.0.10");
    await body(one, made);
    expect(await vethsIn(host)).toEqual([keeper.veth]);
    await keeper.check();
    await keeper.del();
    expect(leased()).toEqual([]);
  };

  networkTest.each([
    ["the namespace", undefined, true],
    ["the namespace, no prevResult", undefined, false],
    ["CNI_NETNS empty", "", true],
    ["CNI_NETNS empty, no prevResult", "", false],
    ["a path that is gone", "/proc/4194304/ns/net", false],
  ])("goes with its address: %s", (host, _, netns, withResult) =>
    withGo(host, async (one, { result }) => {
      const outcome = await one.call("DEL", withResult ? { prevResult: result } : {}, netns);
      expect(`${outcome}`).toStartWith("exit code 0");
      expect(leased()).toEqual(["10.77.0.2"]);
    }),
  );

  networkTest.each([
    ["DEL", {}],
    ["GC", listing("c0")],
  ])("goes with all its addresses when %s finds it by one of them", (host, command, keys) =>
    withGo(host, async (one) => {
      await one.namespace.run("ip addr add 10.77.0.12/24 dev eth0; ip addr add fd77::12/64 dev eth0 nodad");
      for (const name of ["10.77.0.12", "fd77::12"]) writeFileSync(`${LEASES}/${name}`, "c1\r\neth0");
      expect(`${await one.call(command, keys, "")}`).toStartWith("exit code 0");
      expect(leased()).toEqual(["10.77.0.2"]);
      expect(existsSync(`${LEASES}/fd77::12`)).toBe(false);
    }),
  );

  networkTest("is found by the MAC that ADD reported when both its ends have other names", (host) =>
    withGo(host, async (one, { veth, result }) => {
      await host.run(`ip link set ${veth} down name pod7; ip -n c1 link set eth0 down name net1`);
      expect(`${await one.call("DEL", { prevResult: result }, "")}`).toStartWith("exit code 0");
      expect(leased()).toEqual(["10.77.0.2"]);
    }),
  );

  networkTest("keeps its address as long as an interface has it that does not prove to be its own", (host) =>
    withGo(host, async (one, { veth }) => {
      await one.namespace.run(
        "ip link set eth0 down name net1; ip addr add 10.77.0.10/24 dev net1; ip link set net1 up || true",
      );
      const { msg } = await one.failure("DEL", {}, "");
      expect(msg).toContain(`interface "net1" behind host veth "${veth}" is still there`);
      expect(msg).toContain(`${LEASES}/10.77.0.10`);
      expect(await vethsIn(host)).toContain(veth);
      expect(leased()).toEqual(["10.77.0.10", "10.77.0.2"]);
      await host.run(`ip link del ${veth}`);
      await one.del("");
    }),
  );

  networkTest("does not hold an address that a container on another bridge has", (host) =>
    withGo(host, async (one, { veth }) => {
      await host.run(`ip link add br9 type bridge; ip link set ${veth} master br9`);
      await one.del("");
      expect(leased()).toEqual(["10.77.0.2"]);
      await host.run(`ip link del ${veth}; ip link del br9`);
    }),
  );
});

describe("K6: the first moment", () => {
  /** Kills an ADD at each of its messages to the kernel, until one has left a host veth without an alias. */
  async function killBeforeAlias(one: Attachment): Promise<string> {
    for (let message = 1; message <= 40; message++) {
      const inject = `--inject=sendto:signal=KILL:when=${message}`;
      await one.callUnder(["strace", "-qq", "-o", "/dev/null", "--trace=sendto", inject], one.request("ADD"));
      const half = (await veths(one.host)).find(({ ifalias }) => ifalias === undefined);
      if (half !== undefined) return half.ifname;
      await one.del();
    }
    throw new Error("no ADD was killed between the pair and its alias");
  }

  networkTest.each([
    ["with the namespace", undefined],
    ["with CNI_NETNS empty", ""],
  ])("a pair whose ADD was killed before it had an alias goes with DEL %s", async (host, _, netns) => {
    const one = await prepare(host, "c1", KEYS);
    expect(await killBeforeAlias(one)).toMatch(/^veth[0-9a-f]{8}$/);
    await one.del(netns);
    expect(await vethsIn(host)).toEqual([]);
  });

  networkTest(
    "such a pair goes with GC, unless its attachment is listed; another network's GC leaves it",
    async (host) => {
      const veth = await killBeforeAlias(await prepare(host, "c1", KEYS));
      const collect = async (name: string, ...ids: string[]) => {
        const outcome = await hostCall(host, "GC", { ...KEYS, name, ...listing(...ids) });
        expect(`${outcome}`).toStartWith("exit code 0");
        return vethsIn(host);
      };
      expect(await collect("testnet", "c1", "c9")).toEqual([veth]);
      expect(await collect("othernet", "c9")).toEqual([veth]);
      expect(await collect("testnet", "c9")).toEqual([]);
    },
  );
});

describe("K6: ADD", () => {
  networkTest.each([
    [
      "of an attachment that lives in another namespace fails, and the living one keeps its address",
      false,
      "duplicate allocation is not allowed",
    ],
    [
      "of such an attachment fails with an IPAM that is another file, which would free the living one's address",
      true,
      "(bridgehead:testnet/c1/eth0) is its interface",
    ],
  ])("%s", async (host, _, otherFile, words) => {
    const one = await attach(host, "c1", KEYS);
    using folder = new ProgramFolder();
    await host.run(`cp ${builtBinaries()}/host-local ${folder.path}`);
    const { path: netns } = await host.addNamespace("c2");
    const request = { ...one.request("ADD", {}, netns), ...(otherFile && { path: folder.path }) };
    const outcome = await host.plugin("bridge", request);
    expect(`${outcome}`).toStartWith("exit code 1");
    expect(outcome.json().msg).toContain(otherFile ? `host veth "${one.veth}" ${words}` : words);
    expect(leased()).toEqual(["10.77.0.2"]);
    expect(await vethsIn(host)).toEqual([one.veth]);
    await one.check();
    await one.del();
  });

  networkTest(
    "L4: with a full range takes no address of an interface that lives on in another namespace",
    async (host) => {
      const ipam = hostLocal({ ...V4, rangeStart: "10.77.0.2", rangeEnd: "10.77.0.3" });
      const keys = { ...KEYS, ipam };
      const [moved, gone] = await attachAll(host, ["c1", "c2"], keys);
      const other = await host.addNamespace("c3");
      await host.run(
        "ip -n c1 link set eth0 netns c3; ip -n c3 addr add 10.77.0.2/24 dev eth0; ip netns del c1; ip netns del c2",
      );
      const late = await prepare(host, "c4", keys);
      const result = await eventually("the end of the namespace", async () => {
        const outcome = await late.call("ADD");
        return outcome.exitCode === 0 && outcome.json<AddResult>();
      });
      expect(result.ips[0]?.address).toBe("10.77.0.3/24");
      const { msg } = await (await prepare(host, "c5", keys)).failure("ADD");
      expect(msg).toContain("no IP addresses available");
      expect(await vethsIn(other)).toEqual(["eth0"]);
      await late.del();
      await moved.del("");
      expect(await vethsIn(other)).toEqual([]);
      await gone.del("");
    },
  );
});

networkTest(
  "K6: the spoof check of a renamed port goes, also where another link has the port's old name",
  async (host) => {
    const [one, two] = await attachAll(host, ["c1", "c2"], { macspoofchk: true });
    await host.run(
      `ip link set ${one.veth} down; ip link set ${one.veth} name pod7; ip link add ${one.veth} type veth peer name stranger1`,
    );
    await one.del();
    expect(await host.run("nft list ruleset")).not.toContain("cni-br-iface-c1-");
    await two.check();
    await host.run(`ip link del ${one.veth}`);
    await two.del();
    expect(await host.run("nft list ruleset")).not.toContain("cni-br-iface-");
  },
);

networkTest("K6: the MAC of a host's end follows from its attachment", async (host) => {
  const all = await attachAll(host, ["c1", "c2"]);
  const macs = async () => (await veths(host)).map(({ ifname, address }) => `${ifname} ${address}`).sort();
  const before = await macs();
  expect(new Set(before).size).toBe(2);
  for (const line of before) expect(line).toMatch(/^veth[0-9a-f]{8} .[26ae]:/);
  for (const one of all) {
    await one.del();
    await one.add();
  }
  expect(await macs()).toEqual(before);
  for (const one of all) await one.del();
});

networkTest(
  "K6, L5: a retry gets its address back as soon as its namespace has ended, however long its links stay",
  async (host) => {
    const one = await attach(host, "c1", KEYS);
    for (let round = 0; round < 5; round++) {
      await host.run("ip netns del c1; ip netns add c1");
      // Until the kernel says that the namespace has ended it lives, and each ADD is one too many.
      const { ips } = await eventually("the end of the namespace", async () => {
        const outcome = await one.call("ADD");
        if (outcome.exitCode !== 0) expect(`${outcome}`).toContain("duplicate allocation is not allowed");
        return outcome.exitCode === 0 && outcome.json<AddResult>();
      });
      expect(ips).toEqual(one.result.ips);
      expect(leased()).toEqual(["10.77.0.2"]);
    }
    await one.del();
    await eventually("the end of all links", async () => (await vethsIn(host)).length === 0);
  },
);
