/**
 * K16: the host's own IPv6 comes by router advertisements, and the first IPv6 network makes it a router. Its routes
 * and addresses are there afterwards, and the next advertisement renews them.
 */
import { describe, expect } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import { type Attachment, hostLocal, linkNames, prepare, STAYS, settings, V4, V6 } from "./network.ts";

const ROUTER = `${import.meta.dir}/../../support/router.ts`;
const GATEWAY = { isGateway: true, ipam: hostLocal(V6) };

/** What a router says; lifetimes in seconds. */
interface Advertisement {
  readonly lifetime: number;
  readonly prefix: string;
  readonly valid: number;
  readonly route?: string;
}

/** Advertises out of `router`, as often as it takes until `look` sees what comes of it. */
const advertise = <T>(
  router: NamedNamespace,
  { lifetime, prefix, valid, route }: Advertisement,
  what: string,
  look: () => Promise<T | undefined | false>,
): Promise<T> =>
  eventually(what, async () => {
    const words = [process.execPath, ROUTER, "up", lifetime, prefix, valid, ...(route ? [route] : [])];
    await router.run(words.map(String));
    return look();
  });

/** A cable from the host to a router of its own. Both ends have a link-local address at once. */
async function uplink(host: ScratchHost, name: string): Promise<NamedNamespace> {
  const router = await host.addNamespace(`router-${name}`);
  await host.run(`ip link add ${name} type veth peer name up netns ${router.name}`);
  await host.run(
    `sysctl -qw net.ipv6.conf.${name}.accept_dad=0 net.ipv6.conf.${name}.accept_ra_rt_info_max_plen=64`,
  );
  await router.run("sysctl -qw net.ipv6.conf.up.accept_dad=0 && ip link set dev up up");
  await host.run(`ip link set ${name} up`);
  // Before that the router can't send, and the host does not listen. The kernel takes its time for both.
  for (const [machine, device] of [
    [router, "up"],
    [host, name],
  ] as const) {
    await eventually(`a link-local address of ${device} that may be used`, async () =>
      (await machine.run(`ip -6 addr show dev ${device} scope link -tentative`)).includes("fe80"),
    );
  }
  return router;
}

const RENEWED = { lifetime: 1800, prefix: "fd01::", valid: 30_000 };

interface ShownRoute {
  dst: string;
  dev: string;
  protocol: string;
  expires?: number;
}

const routesOf = (host: ScratchHost, dev: string) =>
  host.json<ShownRoute[]>(`ip -j -6 route show dev ${dev}`);

/** Seconds until the route ends; undefined when there is none. */
const expiry = async (host: ScratchHost, dev: string, dst: string) =>
  (await routesOf(host, dev)).find((route) => route.dst === dst)?.expires;

/** Seconds that the address made of the prefix is valid. */
async function validity(host: ScratchHost, dev: string, prefix: string): Promise<number | undefined> {
  const [link] = await host.json<{ addr_info: { local?: string; valid_life_time: number }[] }[]>(
    `ip -j -6 addr show dev ${dev}`,
  );
  return link?.addr_info.find(({ local }) => local?.startsWith(prefix.slice(0, -1)))?.valid_life_time;
}

const acceptRa = (host: ScratchHost, ...devices: string[]) =>
  settings(host, ...devices.map((dev) => `ipv6/conf/${dev}/accept_ra`));

const learn = (host: ScratchHost, router: NamedNamespace, dev: string, dst: string, said: Advertisement) =>
  advertise(router, said, `${dst} on ${dev}`, () => expiry(host, dev, dst));

async function expectRenewed(
  host: ScratchHost,
  router: NamedNamespace,
  dev: string,
  dst: string,
  said: Advertisement,
): Promise<void> {
  await advertise(
    router,
    said,
    `${dst} and ${said.prefix} on ${dev} renewed`,
    async () =>
      ((await expiry(host, dev, dst)) ?? 0) > 1000 &&
      ((await validity(host, dev, said.prefix)) ?? 0) > 20_000,
  );
}

/** What the IPAM keeps for networks of other names, leases not included. */
const OTHER_NETWORKS =
  /^file \/var\/lib\/cni\/networks\/(\.bridgehead\/)?(othernet|net\d)(\.index|\/(lock|last_reserved_ip\.\d)?) /;

const hostTest = hostTests({ mayKeep: [...STAYS, /\bbr1\b/, OTHER_NETWORKS] });

/** A test with containers on networks: at its end all of them are deleted, and the uplinks too. */
const uplinkTest = (
  name: string,
  body: (
    host: ScratchHost,
    container: (name: string, keys?: object) => Promise<Attachment>,
  ) => Promise<unknown>,
) =>
  hostTest(name, async (host) => {
    const all: Attachment[] = [];
    await body(host, async (name, keys = GATEWAY) => {
      const one = await prepare(host, name, keys);
      all.push(one);
      return one;
    });
    for (const one of all) await one.del();
    for (const link of await linkNames(host, "type veth")) await host.run(`ip link del ${link}`);
  });

describe("K16: the host keeps what it has from router advertisements", () => {
  uplinkTest(
    "default routes of two uplinks, a route of the site, addresses alone: there after ADD, and renewed",
    async (host, container) => {
      const [first, second, third] = [
        await uplink(host, "up0"),
        await uplink(host, "up1"),
        await uplink(host, "up2"),
      ];
      // An interface on top of another, as a VLAN's is.
      await host.run("ip link add link up0 name mac0 type macvlan && ip link set mac0 up");
      const links = [
        { router: first, dev: "up0", prefix: "fd01::", dst: "default", lifetime: 100 },
        { router: first, dev: "mac0", prefix: "fd01::", dst: "default", lifetime: 100 },
        // No default route: a network of the site.
        { router: second, dev: "up1", prefix: "fd02::", dst: "fd99::/48", lifetime: 0 },
        { router: third, dev: "up2", prefix: "fd03::", dst: "fd03::/64", lifetime: 0 },
      ];
      for (const { router, dev, prefix, dst, lifetime } of links) {
        const route = dst === "fd99::/48" ? { route: dst } : {};
        await learn(host, router, dev, dst, { lifetime, prefix, valid: 200, ...route });
      }
      const added = await (await container("c1")).call("ADD");
      expect(`${added}`).toStartWith("exit code 0");
      expect(await host.run("cat /proc/sys/net/ipv6/conf/all/forwarding")).toBe("1\n");
      for (const { dev, dst } of links) expect(await expiry(host, dev, dst)).toBeLessThanOrEqual(200);
      for (const { router, dev, prefix, dst, lifetime } of links) {
        expect(added.stderr).toContain(`"${dev}" accepts router advertisements`);
        const route = dst === "fd99::/48" ? { route: dst } : {};
        const said = { lifetime: lifetime && 1800, prefix, valid: 30_000, ...route };
        await expectRenewed(host, router, dev, dst, said);
      }
      // The second network finds nothing to do.
      const again = await (await container("c2")).call("ADD");
      expect({ code: again.exitCode, stderr: again.stderr }).toEqual({ code: 0, stderr: "" });
    },
  );

  uplinkTest("an interface that has heard no router yet hears the first one", async (host, container) => {
    const router = await uplink(host, "up0");
    await (await container("c1")).add();
    await expectRenewed(host, router, "up0", "default", RENEWED);
  });

  uplinkTest(
    "what does not listen is left alone: accept_ra 0, forwarding already on, the bridge and its ports",
    async (host, container) => {
      for (const [name, setting] of [
        ["up0", "accept_ra=0"],
        ["up1", "forwarding=1"],
      ]) {
        await uplink(host, name ?? "");
        await host.run(`sysctl -qw net.ipv6.conf.${name}.${setting}`);
      }
      await host.run("ip -6 route add default via fe80::1 dev up0 proto ra");
      const { stderr } = await (await container("c1")).call("ADD");
      expect(stderr).toBe("");
      expect(await acceptRa(host, "up0", "up1", "br0")).toBe("0 1 0");
      expect(await routesOf(host, "up0")).toContainEqual(
        expect.objectContaining({ dst: "default", protocol: "ra" }),
      );
    },
  );

  uplinkTest("16 first ADDs at once", async (host, container) => {
    const router = await uplink(host, "up0");
    await learn(host, router, "up0", "default", { lifetime: 100, prefix: "fd01::", valid: 200 });
    const all = await Promise.all(Array.from({ length: 16 }, (_, index) => container(`c${index}`)));
    await Promise.all(all.map((one) => one.add()));
    expect(await expiry(host, "up0", "default")).toBeLessThanOrEqual(100);
    await expectRenewed(host, router, "up0", "default", RENEWED);
  });

  uplinkTest("a network of IPv4 alone, or without a gateway, changes nothing", async (host, container) => {
    await uplink(host, "up0");
    for (const [index, keys] of [{ isGateway: true }, { bridge: "br1", ipam: hostLocal(V4, V6) }].entries()) {
      const one = await container(`c${index}`, { ...keys, name: `net${index}` });
      expect((await one.call("ADD")).stderr).toBe("");
    }
    expect(await acceptRa(host, "up0")).toBe("1");
  });
});

describe("K16: what ADD sets, a failing ADD takes back", () => {
  uplinkTest(
    "accept_ra of the uplink, forwarding of single interfaces, redirects",
    async (host, container) => {
      await uplink(host, "up0");
      await uplink(host, "up1");
      await host.run(
        "sysctl -qw net.ipv6.conf.up1.forwarding=1 net.ipv4.conf.up1.forwarding=1 net.ipv4.conf.all.accept_redirects=0",
      );
      const settings = () =>
        host.run(
          "sysctl net.ipv6.conf.up0.accept_ra net.ipv6.conf.up0.forwarding net.ipv6.conf.up1.forwarding " +
            "net.ipv4.conf.up0.forwarding net.ipv4.conf.up1.forwarding net.ipv4.conf.all.accept_redirects",
        );
      const before = await settings();
      const both = await container("c1", { ...GATEWAY, ipam: hostLocal(V4, V6) });
      // The last thing that can fail: the result can't be printed, or IPv6 forwarding can't be written.
      const path = "/proc/sys/net/ipv6/conf/all/forwarding";
      const script = `mount --bind ${path} ${path} && mount -o remount,bind,ro ${path} && exec "$@"`;
      const { stdout } = await both.callUnder(
        ["unshare", "--mount", "/bin/sh", "-c", script, "sh"],
        both.request("ADD"),
      );
      expect(stdout).toContain("failed to enable forwarding");
      expect(await settings()).toBe(before);
      await host.run("sysctl -qw net.ipv4.conf.all.accept_redirects=1");
    },
  );
});

describe("K16: a bridge to the host's own network", () => {
  uplinkTest(
    "goes on listening where it has learned its routes; a bridge that has learned none stops (B12)",
    async (host, container) => {
      const router = await uplink(host, "up0");
      await host.run("ip link add br0 type bridge && ip link set up0 master br0 && ip link set br0 up");
      await learn(host, router, "br0", "default", { lifetime: 100, prefix: "fd01::", valid: 200 });
      const { exitCode, stderr } = await (await container("c1")).call("ADD");
      expect({ exitCode, stderr }).toEqual({
        exitCode: 0,
        stderr: expect.stringContaining('bridge "br0" has routes'),
      });
      await expectRenewed(host, router, "br0", "default", RENEWED);
      await host.run("ip link add br1 type bridge");
      const other = await container("c2", { bridge: "br1", name: "othernet" });
      await other.add();
      expect(await acceptRa(host, "br1")).toBe("0");
    },
  );
});
