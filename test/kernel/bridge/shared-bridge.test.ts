/** K20: a bridge that is there already, and its limits: mtu, number of ports, IPv6 that is off, VLANs that are not built in. */
import { expect } from "bun:test";
import { outcomeOf } from "../../support/command.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { hostLocal, IPAM_FILES, networkTest, prepare, shownLink, V4, V6 } from "./network.ts";

const mtuOf = async (host: ScratchHost, name = "br0") => (await shownLink(host, name)).mtu;

const attach = async (host: ScratchHost, name: string, keys: object) => {
  const one = await prepare(host, name, { isGateway: true, ...keys });
  const outcome = await one.call("ADD");
  expect(`${outcome}`).toStartWith("exit code 0");
  return { one, stderr: outcome.stderr };
};

const batch = (host: ScratchHost, lines: readonly string[]) =>
  host.run(["ip", "-batch", "-"], { stdin: lines.join("\n") });

networkTest.each([
  ["a smaller mtu beside the usual one", {}, { mtu: 1400 }, 1500, 1400],
  ["no mtu beside a large one", { mtu: 9000 }, {}, 9000, 1500],
])(
  "K20: a network with %s takes nothing from the others, and that is said",
  async (host, _what, first, second, bridge, own) => {
    const large = await attach(host, "c1", first);
    const small = await attach(host, "c2", second);
    expect([large.stderr, await mtuOf(host)]).toEqual(["", bridge]);
    expect(small.stderr).toContain(
      `bridge "br0" has mtu ${bridge} and keeps it, but the container gets ${own}`,
    );
    // A packet of the full length, from the host to the first container.
    const [address = ""] = await large.one.addresses();
    await host.run(`ping -n -c1 -W3 -Mdo -s${bridge - 28} ${address.replace("/24", "")}`);
    // A third port does not take it either.
    const third = await attach(host, "c3", first);
    expect([third.stderr, await mtuOf(host)]).toEqual(["", bridge]);
    for (const { one } of [large, small, third]) await one.del();
  },
);

networkTest("K20: the mtu of a bridge without ports goes down with a word", async (host) => {
  await host.run("ip link add br0 mtu 9000 type bridge");
  const { one, stderr } = await attach(host, "c1", {});
  expect(await mtuOf(host)).toBe(1500);
  expect(stderr).toContain('the mtu of bridge "br0" goes from 9000 to 1500');
  await one.del();
});

networkTest("K20: a bridge that is full is named, with the number and the remedy", async (host) => {
  const all = Array.from({ length: 512 }, (_, index) => index);
  const ends = all.flatMap((index) => [`a${index}`, `b${index}`]).slice(0, 1023);
  await batch(host, [
    "link add br0 type bridge",
    ...all.map((index) => `link add a${index} type veth peer name b${index}`),
    ...ends.map((name) => `link set ${name} master br0`),
  ]);
  const { msg } = await (await prepare(host, "c1")).failure("ADD");
  expect(msg).toContain("exchange full (EXFULL); the bridge has 1,023 ports");
  expect(msg).toContain("configure another");
  await batch(
    host,
    all.map((index) => `link del a${index}`),
  );
});

networkTest(
  "K20: IPv6 that is off on the host: ADD names setting and remedy, STATUS knows it before",
  async (host) => {
    const one = await prepare(host, "c1", { isGateway: true, ipam: hostLocal(V4, V6) });
    await host.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
    const msg = expect.stringContaining("sysctl -w net.ipv6.conf.default.disable_ipv6=0");
    await host.unchangedBy(async () => {
      expect(await one.failure("STATUS")).toMatchObject({ code: 50, msg });
      expect(await one.failure("ADD")).toMatchObject({ code: 999, msg });
    }, [IPAM_FILES]);
    // A network of IPv4 is not concerned.
    expect((await one.call("STATUS", { ipam: hostLocal(V4) })).exitCode).toBe(0);
    await host.run("sysctl -qw net.ipv6.conf.default.disable_ipv6=0");
    expect((await one.call("STATUS")).exitCode).toBe(0);
    await one.add();
    await one.del();
    await host.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0");
  },
);

networkTest("K20: VLANs on a kernel whose bridges know none: the error names the cause", async (host) => {
  const { exitCode } = await outcomeOf("ip link add probe type bridge vlan_filtering 1");
  await outcomeOf("ip link delete probe");
  const one = await prepare(host, "c1", { vlan: 7 });
  const outcome = await one.call("ADD");
  if (exitCode === 0) expect(outcome.exitCode).toBe(0);
  else expect(outcome.stdout).toContain("without VLAN filtering of bridges (CONFIG_BRIDGE_VLAN_FILTERING)");
  await one.del();
});
