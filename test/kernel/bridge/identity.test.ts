/**
 * DEL finds an attachment by what its pair carries, whatever its links are called now and wherever they are (K6), touches
 * no other pair, and no address is freed that an interface still has.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { eventually } from "../../support/eventually.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import { addByGo, LEASES } from "./go-attachment.ts";
import { type AddResult, Attachment, BRIDGE, configuration, hostLocal, V4, withNetwork } from "./network.ts";

const CONFIG = configuration({ isGateway: true, ipam: hostLocal(V4) });

interface ShownVeth {
  readonly ifname: string;
  readonly address: string;
  readonly ifalias?: string;
}

const veths = (place: ScratchHost | NamedNamespace): Promise<ShownVeth[]> =>
  place.json<ShownVeth[]>("ip -j -d link show type veth");
const names = async (place: ScratchHost | NamedNamespace) =>
  (await veths(place)).map(({ ifname }) => ifname).sort();

/** Addresses that a lease holds. */
const leased = (): string[] =>
  existsSync(LEASES) ? readdirSync(LEASES).filter((name) => name.startsWith("10.")) : [];

async function added(host: ScratchHost, name: string, ifname = "eth0") {
  const attachment = new Attachment(host, await host.addNamespace(name), CONFIG, { ifname });
  const result = await attachment.add();
  return { attachment, result, veth: result.interfaces[1]?.name ?? "" };
}

/** Something that happens to a pair after its ADD. */
interface Fate {
  readonly what: string;
  /** `other` is a namespace beside the container's. */
  readonly change: (host: ScratchHost, pair: { veth: string; other: NamedNamespace }) => Promise<unknown>;
}

const FATES: readonly Fate[] = [
  {
    what: "the host's end renamed",
    change: (host, { veth }) =>
      host.run(`ip link set ${veth} down; ip link set ${veth} name pod7; ip link set pod7 up`),
  },
  {
    what: "the host's end renamed, its name given to another link",
    change: (host, { veth }) =>
      host.run(`ip link set ${veth} down; ip link set ${veth} name pod7; ip link add ${veth} type bridge`),
  },
  {
    what: "the container's end renamed",
    change: (host) => host.run("ip -n c1 link set eth0 down; ip -n c1 link set eth0 name net1"),
  },
  {
    what: "both ends renamed",
    change: (host, { veth }) =>
      host.run(
        `ip link set ${veth} down; ip link set ${veth} name pod7; ip -n c1 link set eth0 down; ip -n c1 link set eth0 name net1`,
      ),
  },
  {
    what: "the container's end in another namespace, with its address",
    change: (host, { other }) =>
      host.run(
        `ip -n c1 link set eth0 netns ${other.name}; ip -n ${other.name} addr add 10.77.0.2/24 dev eth0`,
      ),
  },
  { what: "the alias taken away", change: (host, { veth }) => host.run(`ip link set ${veth} alias ""`) },
  {
    what: "the alias changed and the host's end renamed",
    change: (host, { veth }) =>
      host.run(`ip link set ${veth} down; ip link set ${veth} name pod7 alias "uplink of pod 7"`),
  },
  {
    what: "the host's end on another bridge",
    change: (host, { veth }) =>
      host.run(`ip link add br9 type bridge; ip link set ${veth} down name pod7 master br9`),
  },
  {
    what: "the host's end on no bridge",
    change: (host, { veth }) => host.run(`ip link set ${veth} nomaster down name pod7`),
  },
  {
    what: "another address in the container",
    change: (host, { veth }) =>
      host.run(
        `ip link set ${veth} down name pod7; ip -n c1 addr flush dev eth0; ip -n c1 addr add 10.77.0.99/24 dev eth0`,
      ),
  },
];

describe("K6: DEL removes the pair, and frees its address, with", () => {
  test.each(FATES.flatMap((fate) => ["", undefined].map((netns) => [fate.what, netns, fate] as const)))(
    "%s, CNI_NETNS %p",
    (_, netns, { change }) =>
      withNetwork(async (host) => {
        const neighbour = await added(host, "c0");
        expect(neighbour.result.ips[0]?.address).toBe("10.77.0.2/24");
        await neighbour.attachment.del();
        const { attachment, veth } = await added(host, "c1");
        const other = await added(host, "c2");
        expect((await names(host)).length).toBe(2);
        await change(host, { veth, other: await host.addNamespace("c3") });
        await attachment.del(netns);
        expect(await names(host)).toEqual([other.veth]);
        expect(leased()).toEqual([(other.result.ips[0]?.address ?? "").replace(/\/.*/, "")]);
        await other.attachment.check(other.result);
        await attachment.del(netns);
        await other.attachment.del();
        await host.run(`ip link del br9; ip link del ${veth}; true`);
      }),
  );

  test("the host's end in another namespace", () =>
    withNetwork(async (host) => {
      const { attachment, veth } = await added(host, "c1");
      const other = await host.addNamespace("c2");
      await host.run(`ip link set ${veth} netns c2`);
      await attachment.del();
      expect(await names(other)).toEqual([]);
      expect(await names(attachment.namespace)).toEqual([]);
      expect(leased()).toEqual([]);
    }));

  test("the name taken at ADD and free later", () =>
    withNetwork(async (host) => {
      const first = await added(host, "c1");
      await first.attachment.del();
      await host.run(`ip link add ${first.veth} type veth peer name foreign0`);
      const result = await first.attachment.add();
      expect(result.interfaces[1]?.name).not.toBe(first.veth);
      await host.run(`ip link del ${first.veth}`);
      await first.attachment.del("");
      expect(await names(host)).toEqual([]);
      expect(leased()).toEqual([]);
    }));
});

describe("K6: an address stays held while the interface lives on where DEL and GC can't remove it:", () => {
  const GC = { "cni.dev/valid-attachments": [{ containerID: "c0", ifname: "eth0" }] };

  const FATES_BEYOND: readonly Fate[] = [
    {
      what: "the host's end in another namespace",
      change: (host, { veth, other }) => host.run(`ip link set ${veth} netns ${other.name}`),
    },
    {
      what: "the host's end in another namespace, the container's on the host",
      change: (host, { veth, other }) =>
        host.run(
          `ip link set ${veth} netns ${other.name}; ip -n c1 link set eth0 netns 1; ip addr add 10.77.0.3/24 dev eth0`,
        ),
    },
    {
      what: "the bridge renamed",
      change: (host) => host.run(`ip link set ${BRIDGE} down; ip link set ${BRIDGE} name br7 up`),
    },
  ];

  /** An attachment that has 10.77.0.3, by us or by the Go plugins, with its fate. */
  const withFate = (
    byGo: boolean,
    { change }: Fate,
    body: (attachment: Attachment, host: ScratchHost) => Promise<void>,
  ) =>
    withNetwork(async (host) => {
      const keeper = await added(host, "c0");
      let attachment: Attachment;
      let veth: string;
      if (byGo) {
        attachment = new Attachment(host, await host.addNamespace("c1"), CONFIG);
        ({ veth } = await addByGo(host, attachment.namespace, "10.77.0.3"));
      } else ({ attachment, veth } = await added(host, "c1"));
      const other = await host.addNamespace("c3");
      await change(host, { veth, other });
      await body(attachment, host);
      await host.run(
        `ip link del ${veth} || ip -n c3 link del ${veth}; ip link set br7 down name ${BRIDGE} up; true`,
      );
      await attachment.del("");
      expect(leased()).toEqual(["10.77.0.2"]);
      await keeper.attachment.del();
    });

  // What is marked as ours is found on a bridge of any name, and removed.
  const CASES = FATES_BEYOND.flatMap((fate) =>
    [true, false]
      .filter((byGo) => byGo || fate.what !== "the bridge renamed")
      .map((byGo) => [fate.what, byGo ? "the Go plugins" : "ours", byGo, fate] as const),
  );

  test.each(CASES)("%s, made by %s", (_, __, byGo, fate) =>
    withFate(byGo, fate, async (attachment) => {
      const error = await attachment.failure("DEL", {}, "");
      expect(error.msg).toContain("is still there, and another container must not get its address");
      expect(leased().sort()).toEqual(["10.77.0.2", "10.77.0.3"]);
      const collected = await attachment.call("GC", GC, "");
      expect(`${collected}`).toStartWith("exit code 0");
      expect(collected.stderr).toContain("10.77.0.3 of container c1, interface eth0 is kept");
      expect(leased().sort()).toEqual(["10.77.0.2", "10.77.0.3"]);
    }),
  );

  test("an interface of the Go plugins that was moved to the host with its address is the attachment's, and goes", () =>
    withNetwork(async (host) => {
      const keeper = await added(host, "c0");
      const attachment = new Attachment(host, await host.addNamespace("c1"), CONFIG);
      const { veth } = await addByGo(host, attachment.namespace, "10.77.0.3");
      await host.run("ip -n c1 link set eth0 netns 1; ip addr add 10.77.0.3/24 dev eth0");
      expect(`${await attachment.call("DEL", {}, "")}`).toStartWith("exit code 0");
      expect(await names(host)).toEqual([keeper.veth]);
      expect(leased()).toEqual(["10.77.0.2"]);
      await keeper.attachment.del();
      expect(await names(host)).not.toContain(veth);
    }));

  test("a pair whose other end is in a namespace that has ended holds nothing", () =>
    withNetwork(async (host) => {
      const { attachment, veth } = await added(host, "c1");
      await host.addNamespace("c3");
      await host.run(`ip link set ${veth} netns c3; ip netns del c1`);
      await attachment.del("");
      expect(leased()).toEqual([]);
    }));
});

describe("K6: DEL leaves alone", () => {
  test("two interfaces of one container that have swapped their names: each goes with its own DEL", () =>
    withNetwork(async (host) => {
      const one = await added(host, "c1");
      const two = new Attachment(host, one.attachment.namespace, CONFIG, { ifname: "eth1" });
      const vethOfTwo = (await two.add()).interfaces[1]?.name ?? "";
      await one.attachment.namespace.run(
        "ip link set eth0 down name x; ip link set eth1 down name eth0; ip link set x name eth1",
      );
      await one.attachment.del();
      expect(await names(host)).toEqual([vethOfTwo]);
      expect(leased()).toEqual(["10.77.0.3"]);
      await two.del();
      expect(await names(host)).toEqual([]);
    }));

  /** The path of c1's namespace leads to that of c2. */
  const rebound = async (host: ScratchHost) => {
    const there = await host.addNamespace("c2");
    return async (path: string) => {
      await host.run(`umount ${path}; mount --bind ${there.path} ${path}`);
      return there;
    };
  };

  test("a stranger of ours in the namespace that the path leads to now", () =>
    withNetwork(async (host) => {
      const { attachment, veth } = await added(host, "c1");
      const bind = await rebound(host);
      const stranger = new Attachment(host, await bind(attachment.namespace.path), CONFIG);
      const result = await stranger.add();
      expect((await names(host)).length).toBeLessThanOrEqual(2);
      await attachment.del();
      expect(await names(host)).not.toContain(veth);
      await stranger.check(result);
      expect(leased()).toEqual(["10.77.0.3"]);
      await stranger.del();
    }));

  test("a stranger of the Go plugins there, by what ADD reported", () =>
    withNetwork(async (host) => {
      const keeper = await added(host, "c0");
      const c1 = await host.addNamespace("c1");
      const made = await addByGo(host, c1, "10.77.0.10");
      const c2 = await host.addNamespace("c2");
      const stranger = await addByGo(host, c2, "10.77.0.11");
      await host.run(`umount ${c1.path}; mount --bind ${c2.path} ${c1.path}`);
      const outcome = await new Attachment(host, c1, CONFIG).call("DEL", { prevResult: made.result });
      expect(`${outcome}`).toStartWith("exit code 0");
      expect(await names(host)).toEqual([keeper.veth, stranger.veth].sort());
      expect(await names(c2)).toEqual(["eth0"]);
      expect(leased().sort()).toEqual(["10.77.0.11", "10.77.0.2"]);
      await new Attachment(host, c2, CONFIG).del();
      await keeper.attachment.del();
    }));

  test("a pair between two other namespaces whose links have the same numbers", () =>
    withNetwork(async (host) => {
      const keeper = await added(host, "c0");
      const { index } = await indexOf(host, keeper.veth);
      const inner = await host.addNamespace("inner");
      await host.addNamespace("outer");
      const end = await indexOf(keeper.attachment.namespace, "eth0");
      await host.run(
        `ip -n outer link add index ${index} name other0 type veth peer name eth0 index ${end.index} netns ${inner.name}`,
      );
      const stranger = new Attachment(host, inner, CONFIG);
      await stranger.del();
      expect(await names(inner)).toEqual(["eth0"]);
      // Not the attachment whose links have these numbers either.
      const namesake = new Attachment(host, inner, CONFIG);
      await namesake.del();
      expect(await names(host)).toEqual([keeper.veth]);
      await keeper.attachment.del();
    }));
});

const indexOf = async (place: ScratchHost | NamedNamespace, name: string) => {
  const [link] = await place.json<{ ifindex: number }[]>(["ip", "-j", "link", "show", "dev", name]);
  return { index: link?.ifindex ?? 0 };
};

describe("K6: an attachment of the Go plugins", () => {
  const withGo = (
    body: (host: ScratchHost, c1: Attachment, made: { veth: string; result: AddResult }) => Promise<void>,
  ) =>
    withNetwork(async (host) => {
      const keeper = await added(host, "c0");
      const c1 = new Attachment(host, await host.addNamespace("c1"), CONFIG);
      const made = await addByGo(host, c1.namespace, "10.77.0.10");
      await body(host, c1, made);
      await keeper.attachment.check(keeper.result);
      await keeper.attachment.del();
      expect(leased()).toEqual([]);
    });

  test.each([
    ["the namespace", undefined, true],
    ["the namespace, no prevResult", undefined, false],
    ["CNI_NETNS empty", "", true],
    ["CNI_NETNS empty, no prevResult", "", false],
    ["a path that is gone", "/proc/4194304/ns/net", false],
  ])("goes with its address: %s", (_, netns, withResult) =>
    withGo(async (host, c1, { veth, result }) => {
      const keys = withResult ? { prevResult: result } : {};
      const outcome = await c1.call("DEL", keys, netns);
      expect(`${outcome}`).toStartWith("exit code 0");
      expect(await names(host)).not.toContain(veth);
      expect(leased()).toEqual(["10.77.0.2"]);
    }),
  );

  test.each([
    ["DEL", {}],
    ["GC", { "cni.dev/valid-attachments": [{ containerID: "c0", ifname: "eth0" }] }],
  ])("goes with all its addresses when %s finds it by one of them", (command, keys) =>
    withGo(async (host, c1, { veth }) => {
      await c1.namespace.run("ip addr add 10.77.0.12/24 dev eth0; ip addr add fd77::12/64 dev eth0 nodad");
      for (const name of ["10.77.0.12", "fd77::12"]) writeFileSync(`${LEASES}/${name}`, "c1\r\neth0");
      expect(`${await c1.call(command, keys, "")}`).toStartWith("exit code 0");
      expect(await names(host)).not.toContain(veth);
      expect(leased()).toEqual(["10.77.0.2"]);
      expect(existsSync(`${LEASES}/fd77::12`)).toBe(false);
    }),
  );

  test("is found by the MAC that ADD reported when both its ends have other names", () =>
    withGo(async (host, c1, { veth, result }) => {
      await host.run(`ip link set ${veth} down name pod7; ip -n c1 link set eth0 down name net1`);
      expect(`${await c1.call("DEL", { prevResult: result }, "")}`).toStartWith("exit code 0");
      expect(await names(host)).not.toContain("pod7");
      expect(leased()).toEqual(["10.77.0.2"]);
    }));

  test("keeps its address as long as an interface has it that does not prove to be its own", () =>
    withGo(async (host, c1, { veth }) => {
      await c1.namespace.run(
        "ip link set eth0 down name net1; ip addr add 10.77.0.10/24 dev net1; ip link set net1 up || true",
      );
      const error = await c1.failure("DEL", {}, "");
      expect(error.msg).toContain(`interface "net1" behind host veth "${veth}" is still there`);
      expect(error.msg).toContain(`${LEASES}/10.77.0.10`);
      expect(await names(host)).toContain(veth);
      expect(leased().sort()).toEqual(["10.77.0.10", "10.77.0.2"]);
      await host.run(`ip link del ${veth}`);
      await c1.del("");
    }));

  test("does not hold an address that a container on another bridge has", () =>
    withGo(async (host, c1, { veth }) => {
      await host.run(`ip link add br9 type bridge; ip link set ${veth} master br9`);
      await c1.del("");
      expect(leased()).toEqual(["10.77.0.2"]);
      await host.run(`ip link del ${veth}; ip link del br9`);
    }));
});

describe("K6: the first moment", () => {
  /** Kills an ADD at each of its messages to the kernel, until one has left a host veth without an alias. */
  async function killBeforeAlias(attachment: Attachment): Promise<string> {
    const { host, namespace, config } = attachment;
    for (let message = 1; message <= 40; message++) {
      const environment = `CNI_COMMAND=ADD CNI_CONTAINERID=${namespace.name} CNI_NETNS=${namespace.path} CNI_IFNAME=eth0 CNI_PATH=${builtBinaries()}`;
      await host.run(
        `${environment} strace -qq -o /dev/null -e trace=sendto -e inject=sendto:signal=KILL:when=${message} ${builtBinaries()}/bridge || true`,
        { stdin: JSON.stringify(config) },
      );
      const half = (await veths(host)).filter(({ ifalias }) => ifalias === undefined);
      if (half[0] !== undefined) return half[0].ifname;
      await attachment.del();
    }
    throw new Error("no ADD was killed between the pair and its alias");
  }

  test.each([
    ["with the namespace", undefined],
    ["with CNI_NETNS empty", ""],
  ])("a pair whose ADD was killed before it had an alias goes with DEL %s", (_, netns) =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), CONFIG);
      const veth = await killBeforeAlias(attachment);
      expect(veth).toMatch(/^veth[0-9a-f]{8}$/);
      await attachment.del(netns);
      expect(await names(host)).toEqual([]);
    }),
  );

  test("such a pair goes with GC, unless its attachment is listed; another network's GC leaves it", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), CONFIG);
      const veth = await killBeforeAlias(attachment);
      const collect = async (name: string, ...ids: string[]) => {
        const valid = ids.map((containerID) => ({ containerID, ifname: "eth0" }));
        const config = { ...CONFIG, name, "cni.dev/valid-attachments": valid };
        expect(`${await host.plugin("bridge", { command: "GC", config })}`).toStartWith("exit code 0");
        return names(host);
      };
      expect(await collect("testnet", "c1", "c9")).toEqual([veth]);
      expect(await collect("othernet", "c9")).toEqual([veth]);
      expect(await collect("testnet", "c9")).toEqual([]);
    }));
});

describe("K6: ADD", () => {
  test("of an attachment that lives in another namespace fails, and the living one keeps its address", () =>
    withNetwork(async (host) => {
      const { attachment, result, veth } = await added(host, "c1");
      const again = new Attachment(host, attachment.namespace, CONFIG);
      const error = await again.failure("ADD", {}, (await host.addNamespace("c2")).path);
      expect(error.msg).toContain("duplicate allocation is not allowed");
      expect(leased()).toEqual(["10.77.0.2"]);
      expect(await names(host)).toEqual([veth]);
      await attachment.check(result);
      await attachment.del();
    }));

  test("of such an attachment fails with an IPAM that is another file, which would free the living one's address", () =>
    withNetwork(async (host) => {
      const { attachment, result, veth } = await added(host, "c1");
      const folder = "/run/other-file";
      await host.run(`mkdir ${folder}; cp ${builtBinaries()}/host-local ${folder}/host-local`);
      const outcome = await host.plugin("bridge", {
        command: "ADD",
        containerId: "c1",
        netns: (await host.addNamespace("c2")).path,
        ifname: "eth0",
        path: folder,
        config: CONFIG,
      });
      expect(outcome.json()).toMatchObject({
        msg: expect.stringContaining(`host veth "${veth}" (bridgehead:testnet/c1/eth0) is its interface`),
      });
      expect(leased()).toEqual(["10.77.0.2"]);
      expect(await names(host)).toEqual([veth]);
      await attachment.check(result);
      await attachment.del();
      await host.run(`rm -r ${folder}`);
    }));

  test("L4: with a full range takes no address of an interface that lives on in another namespace", () =>
    withNetwork(async (host) => {
      const config = configuration({
        isGateway: true,
        ipam: hostLocal({ ...V4, rangeStart: "10.77.0.2", rangeEnd: "10.77.0.3" }),
      });
      const [moved, gone] = [
        new Attachment(host, await host.addNamespace("c1"), config),
        new Attachment(host, await host.addNamespace("c2"), config),
      ];
      await moved.add();
      await gone.add();
      const other = await host.addNamespace("c3");
      await host.run(
        `ip -n c1 link set eth0 netns c3; ip -n c3 addr add 10.77.0.2/24 dev eth0; ip netns del c1; ip netns del c2`,
      );
      const late = new Attachment(host, await host.addNamespace("c4"), config);
      const result = await eventually("the end of the namespace", async () => {
        const outcome = await late.call("ADD");
        return outcome.exitCode === 0 && outcome.json<AddResult>();
      });
      expect(result.ips[0]?.address).toBe("10.77.0.3/24");
      const error = await new Attachment(host, await host.addNamespace("c5"), config).failure("ADD");
      expect(error.msg).toContain("no IP addresses available");
      expect(await names(other)).toEqual(["eth0"]);
      await late.del();
      await moved.del("");
      expect(await names(other)).toEqual([]);
      await gone.del("");
    }));
});

test("K6: the spoof check of a renamed port goes, also where another link has the port's old name", () =>
  withNetwork(async (host) => {
    const config = configuration({ macspoofchk: true });
    const one = new Attachment(host, await host.addNamespace("c1"), config);
    const two = new Attachment(host, await host.addNamespace("c2"), config);
    const veth = (await one.add()).interfaces[1]?.name ?? "";
    const result = await two.add();
    await host.run(
      `ip link set ${veth} down; ip link set ${veth} name pod7; ip link add ${veth} type veth peer name stranger1`,
    );
    await one.del();
    expect(await host.run("nft list ruleset")).not.toContain("cni-br-iface-c1-");
    await two.check(result);
    await host.run(`ip link del ${veth}`);
    await two.del();
    expect(await host.run("nft list ruleset")).not.toContain("cni-br-iface-");
  }));

test("K6: the MAC of a host's end follows from its attachment", () =>
  withNetwork(async (host) => {
    const [one, two] = [await added(host, "c1"), await added(host, "c2")];
    const macs = async () => (await veths(host)).map(({ ifname, address }) => `${ifname} ${address}`).sort();
    const before = await macs();
    expect(new Set(before).size).toBe(2);
    for (const line of before) expect(line).toMatch(/^veth[0-9a-f]{8} .[26ae]:/);
    for (const { attachment } of [one, two]) {
      await attachment.del();
      await attachment.add();
    }
    expect(await macs()).toEqual(before);
    for (const { attachment } of [one, two]) await attachment.del();
  }));

test("K6, L5: a retry gets its address back as soon as its namespace has ended, however long its links stay", () =>
  withNetwork(async (host) => {
    const { attachment, result } = await added(host, "c1");
    for (let round = 0; round < 5; round++) {
      await host.run("ip netns del c1; ip netns add c1");
      // Until the kernel says that the namespace has ended it lives, and each ADD is one too many.
      const { ips } = await eventually("the end of the namespace", async () => {
        const outcome = await attachment.call("ADD");
        if (outcome.exitCode !== 0) expect(`${outcome}`).toContain("duplicate allocation is not allowed");
        return outcome.exitCode === 0 && outcome.json<AddResult>();
      });
      expect(ips).toEqual(result.ips);
      expect(leased()).toEqual(["10.77.0.2"]);
    }
    await attachment.del();
    await eventually("the end of all links", async () => (await names(host)).length === 0);
  }));
