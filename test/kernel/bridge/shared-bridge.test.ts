/** K20: a bridge that is there already, and its limits: mtu, number of ports, IPv6 that is off, VLANs that are not built in. */
import { expect, test } from "bun:test";
import { outcomeOf } from "../../support/command.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { expectUnchanged } from "../../support/state-difference.ts";
import {
  Attachment,
  configuration,
  hostLocal,
  IPAM_FILES,
  shownLink,
  V4,
  V6,
  withNetwork,
} from "./network.ts";

const mtuOf = async (host: ScratchHost, name = "br0") => (await shownLink(host, name)).mtu;

const attach = async (host: ScratchHost, name: string, keys: object) => {
  const attachment = new Attachment(
    host,
    await host.addNamespace(name),
    configuration({ isGateway: true, ...keys }),
  );
  const outcome = await attachment.call("ADD");
  expect(`${outcome}`).toStartWith("exit code 0");
  return { attachment, stderr: outcome.stderr };
};

test.each([
  ["a smaller mtu beside the usual one", {}, { mtu: 1400 }, 1500, 1400],
  ["no mtu beside a large one", { mtu: 9000 }, {}, 9000, 1500],
])(
  "K20: a network with %s takes nothing from the others, and that is said",
  (_what, first, second, bridge, own) =>
    withNetwork(async (host) => {
      const large = await attach(host, "c1", first);
      const small = await attach(host, "c2", second);
      expect([large.stderr, await mtuOf(host)]).toEqual(["", bridge]);
      expect(small.stderr).toContain(
        `bridge "br0" has mtu ${bridge} and keeps it, but the container gets ${own}`,
      );
      // A packet of the full length, from the host to the first container.
      const [address] = await large.attachment.addresses();
      await host.run([
        "ping",
        "-n",
        "-c1",
        "-W3",
        "-Mdo",
        `-s${bridge - 28}`,
        String(address).split("/")[0] ?? "",
      ]);
      // A third port does not take it either.
      const third = await attach(host, "c3", first);
      expect([third.stderr, await mtuOf(host)]).toEqual(["", bridge]);
      for (const { attachment } of [large, small, third]) await attachment.del();
    }),
);

test("K20: the mtu of a bridge without ports goes down with a word", () =>
  withNetwork(async (host) => {
    await host.run("ip link add br0 mtu 9000 type bridge");
    const one = await attach(host, "c1", {});
    expect(await mtuOf(host)).toBe(1500);
    expect(one.stderr).toContain('the mtu of bridge "br0" goes from 9000 to 1500');
    await one.attachment.del();
  }));

test("K20: a bridge that is full is named, with the number and the remedy", () =>
  withNetwork(async (host) => {
    const pairs = Array.from(
      { length: 512 },
      (_, index) => `link add a${index} type veth peer name b${index}`,
    );
    const ends = pairs.flatMap((_, index) => [`a${index}`, `b${index}`]).slice(0, 1023);
    const enslave = ends.map((name) => `link set ${name} master br0`);
    await host.run(["ip", "-batch", "-"], {
      stdin: ["link add br0 type bridge", ...pairs, ...enslave].join("\n"),
    });
    const one = new Attachment(host, await host.addNamespace("c1"), configuration());
    const { msg } = await one.failure("ADD");
    expect(msg).toContain("exchange full (EXFULL); the kernel lets a bridge have 1,023 ports");
    expect(msg).toContain("use another one");
    await host.run(["ip", "-batch", "-"], {
      stdin: pairs.map((_, index) => `link del a${index}`).join("\n"),
    });
  }));

test("K20: IPv6 that is off on the host: ADD names setting and remedy, STATUS knows it before", () =>
  withNetwork(async (host) => {
    const one = new Attachment(
      host,
      await host.addNamespace("c1"),
      configuration({ isGateway: true, ipam: hostLocal(V4, V6) }),
    );
    await host.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
    const before = await host.state();
    const remedy = "sysctl -w net.ipv6.conf.default.disable_ipv6=0";
    expect(await one.failure("STATUS")).toMatchObject({ code: 50, msg: expect.stringContaining(remedy) });
    expect(await one.failure("ADD")).toMatchObject({ code: 999, msg: expect.stringContaining(remedy) });
    expectUnchanged(before, await host.state(), [IPAM_FILES]);
    // A network of IPv4 is not concerned.
    expect((await one.call("STATUS", { ipam: hostLocal(V4) })).exitCode).toBe(0);
    await host.run("sysctl -qw net.ipv6.conf.default.disable_ipv6=0");
    expect((await one.call("STATUS")).exitCode).toBe(0);
    await one.add();
    await one.del();
    await host.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0");
  }));

test("K20: VLANs on a kernel whose bridges know none: the error names the cause", () =>
  withNetwork(async (host) => {
    const { exitCode } = await outcomeOf([
      "ip",
      "link",
      "add",
      "probe",
      "type",
      "bridge",
      "vlan_filtering",
      "1",
    ]);
    await outcomeOf(["ip", "link", "delete", "probe"]);
    const one = new Attachment(host, await host.addNamespace("c1"), configuration({ vlan: 7 }));
    const outcome = await one.call("ADD");
    if (exitCode === 0) expect(outcome.exitCode).toBe(0);
    else expect(outcome.stdout).toContain("without VLAN filtering of bridges (CONFIG_BRIDGE_VLAN_FILTERING)");
    await one.del();
  }));
