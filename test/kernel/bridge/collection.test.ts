/** GC of attachments whose interfaces live (K6), and of a runtime that lists nothing (K28). */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { builtBinaries } from "../../support/plugin-call.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { addByGo, LEASES } from "./go-attachment.ts";
import { Attachment, BRIDGE, configuration, hostLocal, NETWORK, V4, withNetwork } from "./network.ts";

const KEYS = { isGateway: true, ipMasq: true, ipMasqBackend: "nftables", macspoofchk: true };
const CONFIG = configuration({ ...KEYS, ipam: hostLocal(V4) });

const leased = (): string[] =>
  existsSync(LEASES)
    ? readdirSync(LEASES)
        .filter((name) => name.startsWith("10."))
        .sort()
    : [];

const ports = async (host: ScratchHost) =>
  (await host.json<{ ifname: string }[]>(`ip -j link show master ${BRIDGE}`))
    .map(({ ifname }) => ifname)
    .sort();

/** Ids of the containers that some rule or chain names. */
async function ruled(host: ScratchHost): Promise<string[]> {
  const ruleset = await host.run("nft list ruleset");
  return [
    ...new Set([...ruleset.matchAll(/(?:id: |cni-br-iface-)(c[0-9])/g)].map(([, id]) => id ?? "")),
  ].sort();
}

/** Whether an address is masqueraded. */
const masqueraded = async (host: ScratchHost, address: string) =>
  /saddr (?:\{ )?([0-9.]+) /g
    [Symbol.matchAll](await host.run("nft list ruleset"))
    .some(([, found]) => found === address);

const collect = (host: ScratchHost, stdin: object | string) =>
  host.plugin("bridge", { command: "GC", config: stdin });

const listing = (...ids: string[]) => ({
  ...CONFIG,
  "cni.dev/valid-attachments": ids.map((containerID) => ({ containerID, ifname: "eth0" })),
});

/**
 * What CRI-O's libcni writes at its start when no pod runs: a Go map, so with sorted keys, in which both keys hold a
 * nil slice.
 */
const CRIO = JSON.stringify(
  Object.fromEntries(
    Object.entries({ ...CONFIG, "cni.dev/attachments": null, "cni.dev/valid-attachments": null }).sort(
      ([a], [b]) => (a < b ? -1 : 1),
    ),
  ),
);

async function added(host: ScratchHost, name: string) {
  const attachment = new Attachment(host, await host.addNamespace(name), CONFIG);
  const result = await attachment.add();
  return { attachment, result, veth: result.interfaces[1]?.name ?? "" };
}

/** A container that went without a DEL, with all that it had but its interface. */
async function lost(host: ScratchHost, name: string): Promise<void> {
  await added(host, name);
  await host.run(`ip -n ${name} link del eth0; ip netns del ${name}`);
}

/** A masquerade rule as the Go plugins write it. */
async function masqueradeByGo(host: ScratchHost, containerId: string, address: string): Promise<void> {
  const hash = (text: string) => new Bun.CryptoHasher("sha512").update(text).digest("hex").slice(0, 16);
  const comment = `${hash(NETWORK)}-${hash(`eth0:${containerId}`)}, net: ${NETWORK}, if: eth0, id: ${containerId}`;
  await host.run(
    `nft add rule inet cni_plugins_masquerade masq_checks ip saddr == ${address} ip daddr != 10.77.0.0/24 masquerade comment '"${comment}"'`,
  );
}

describe("K28: GC", () => {
  test.each([
    ["of CRI-O at its start", CRIO],
    ["with null", JSON.stringify({ ...CONFIG, "cni.dev/valid-attachments": null })],
    ["with null under the older key", JSON.stringify({ ...CONFIG, "cni.dev/attachments": null })],
    ["with an empty list", JSON.stringify(listing())],
  ])("%s keeps what lives, names it, and collects all else", (_, stdin) =>
    withNetwork(async (host) => {
      const living = await added(host, "c1");
      await lost(host, "c2");
      writeFileSync(`${LEASES}/10.77.0.9`, "c3\r\neth0");
      expect(leased()).toEqual(["10.77.0.2", "10.77.0.3", "10.77.0.9"]);
      expect(await ruled(host)).toEqual(["c1", "c2"]);
      const outcome = await collect(host, stdin);
      expect(`${outcome}`).toStartWith("exit code 0");
      expect(outcome.stdout).toBe("");
      expect(outcome.stderr).toContain(`kept host veth "${living.veth}" (bridgehead:testnet/c1/eth0)`);
      expect(leased()).toEqual(["10.77.0.2"]);
      expect(await ports(host)).toEqual([living.veth]);
      expect(await ruled(host)).toEqual(["c1"]);
      await living.attachment.check(living.result);
      await living.attachment.del();
    }),
  );

  test("after a reboot, with nothing alive, everything goes", () =>
    withNetwork(async (host) => {
      await lost(host, "c1");
      await lost(host, "c2");
      writeFileSync(`${LEASES}/10.77.0.9`, "c3\r\neth0");
      await host.run(`ip link del ${BRIDGE}`);
      const outcome = await collect(host, CRIO);
      expect(`${outcome}`).toStartWith("exit code 0");
      expect(outcome.stderr).not.toContain("kept");
      expect(leased()).toEqual([]);
      expect(await ruled(host)).toEqual([]);
    }));

  test("keeps what the Go plugins made and lives: pair, lease and rules", () =>
    withNetwork(async (host) => {
      await lost(host, "c0");
      const c1 = await host.addNamespace("c1");
      const made = await addByGo(host, c1, "10.77.0.10");
      await masqueradeByGo(host, "c1", "10.77.0.10");
      const outcome = await collect(host, CRIO);
      expect(`${outcome}`).toStartWith("exit code 0");
      expect(outcome.stderr).toContain(
        `10.77.0.10 of container c1, interface eth0 is kept: interface "eth0" behind host veth "${made.veth}"`,
      );
      expect(leased()).toEqual(["10.77.0.10"]);
      expect(await ports(host)).toEqual([made.veth]);
      expect(await masqueraded(host, "10.77.0.10")).toBe(true);
      expect(await ruled(host)).toEqual(["c1"]);
      await new Attachment(host, c1, CONFIG).del();
      expect(leased()).toEqual([]);
    }));

  test("leaves all rules where something lives that does not tell whose they are", () =>
    withNetwork(async (host) => {
      await lost(host, "c0");
      const c1 = await host.addNamespace("c1");
      await addByGo(host, c1, "10.77.0.10", { lease: false });
      await masqueradeByGo(host, "c1", "10.77.0.10");
      const outcome = await collect(host, CRIO);
      expect(`${outcome}`).toStartWith("exit code 0");
      expect(outcome.stderr).toContain("not collecting masquerade rules");
      expect(await masqueraded(host, "10.77.0.10")).toBe(true);
      expect(leased()).toEqual([]);
      await new Attachment(host, c1, CONFIG).del();
      expect(`${await collect(host, CRIO)}`).toStartWith("exit code 0");
    }));

  test("an IPAM that is another file gets the list of what lives, and nothing where that is not known", () =>
    withNetwork(async (host) => {
      const living = await added(host, "c1");
      await lost(host, "c2");
      const folder = "/run/other-file";
      await host.run(`mkdir ${folder}; cp ${builtBinaries()}/host-local ${folder}/host-local`);
      const gc = () => host.plugin("bridge", { command: "GC", config: CRIO, path: folder });
      const c3 = await host.addNamespace("c3");
      await addByGo(host, c3, "10.77.0.10");
      const unknown = await gc();
      expect(`${unknown}`).toStartWith("exit code 0");
      expect(unknown.stderr).toContain("not collecting addresses");
      expect(leased()).toEqual(["10.77.0.10", "10.77.0.2", "10.77.0.3"]);
      await new Attachment(host, c3, CONFIG).del();
      expect(`${await gc()}`).toStartWith("exit code 0");
      expect(leased()).toEqual(["10.77.0.2"]);
      expect(await ruled(host)).toEqual(["c1"]);
      await living.attachment.del();
      await host.run(`rm -r ${folder}`);
    }));

  test("an attachment whose names fit into no alias is kept with its rules", () =>
    withNetwork(async (host) => {
      const id = `c1${"x".repeat(230)}`;
      const namespace = await host.addNamespace("c1");
      const call = (command: string) =>
        host.plugin("bridge", {
          command,
          containerId: id,
          netns: namespace.path,
          ifname: "eth0",
          config: { ...CONFIG, macspoofchk: false },
        });
      expect(`${await call("ADD")}`).toStartWith("exit code 0");
      expect(`${await collect(host, CRIO)}`).toStartWith("exit code 0");
      expect(leased()).toEqual(["10.77.0.2"]);
      expect((await ports(host)).length).toBe(1);
      expect(await masqueraded(host, "10.77.0.2")).toBe(true);
      expect(`${await call("DEL")}`).toStartWith("exit code 0");
    }));
});

describe("K6: GC of what is not listed", () => {
  test("removes an attachment of the Go plugins that proves to be its own: pair, rules and lease", () =>
    withNetwork(async (host) => {
      const listed = await added(host, "c0");
      const [c1, c2] = [await host.addNamespace("c1"), await host.addNamespace("c2")];
      const stale = await addByGo(host, c1, "10.77.0.10");
      const valid = await addByGo(host, c2, "10.77.0.11");
      for (const { containerId, address } of [stale, valid]) await masqueradeByGo(host, containerId, address);
      const outcome = await collect(host, listing("c0", "c2"));
      expect(`${outcome}`).toStartWith("exit code 0");
      expect(outcome.stderr).toContain(`removed interface "eth0" behind host veth "${stale.veth}"`);
      expect(await ports(host)).toEqual([listed.veth, valid.veth].sort());
      expect(leased()).toEqual(["10.77.0.11", "10.77.0.2"]);
      expect(await ruled(host)).toEqual(["c0", "c2"]);
      await new Attachment(host, c2, CONFIG).del();
      await listed.attachment.del();
    }));

  test("keeps pair, address and rules of one that does not, and names them", () =>
    withNetwork(async (host) => {
      const listed = await added(host, "c0");
      const c1 = await host.addNamespace("c1");
      const unclear = await addByGo(host, c1, "10.77.0.10");
      await masqueradeByGo(host, "c1", "10.77.0.10");
      await c1.run("ip link set eth0 down name net1; ip addr add 10.77.0.10/24 dev net1; true");
      const outcome = await collect(host, listing("c0"));
      expect(`${outcome}`).toStartWith("exit code 0");
      expect(outcome.stderr).toContain(
        `10.77.0.10 of container c1, interface eth0 is kept: interface "net1" behind host veth "${unclear.veth}" is still there`,
      );
      expect(await ports(host)).toEqual([listed.veth, unclear.veth].sort());
      expect(leased()).toEqual(["10.77.0.10", "10.77.0.2"]);
      expect(await ruled(host)).toEqual(["c0", "c1"]);
      await host.run(`ip link del ${unclear.veth}`);
      expect(`${await collect(host, listing("c0"))}`).toStartWith("exit code 0");
      expect(leased()).toEqual(["10.77.0.2"]);
      await listed.attachment.del();
    }));

  test.each([
    ["the host's end renamed", (veth: string) => `ip link set ${veth} down name pod7`],
    ["the alias taken away", (veth: string) => `ip link set ${veth} alias ""`],
    [
      "the alias taken away and the host's end renamed",
      (veth: string) => `ip link set ${veth} down alias "" name pod7`,
    ],
    ["the container's end renamed", () => "ip -n c1 link set eth0 down name net1"],
    ["no bridge", (veth: string) => `ip link set ${veth} nomaster`],
  ])("removes one of ours with %s", (_, change) =>
    withNetwork(async (host) => {
      const stale = await added(host, "c1");
      const listed = await added(host, "c2");
      await host.run(change(stale.veth));
      expect(`${await collect(host, listing("c2"))}`).toStartWith("exit code 0");
      expect((await host.json<unknown[]>("ip -j link show type veth")).length).toBe(1);
      expect(leased()).toEqual(["10.77.0.3"]);
      expect(await ruled(host)).toEqual(["c2"]);
      await listed.attachment.check(listed.result);
      await listed.attachment.del();
    }),
  );
});
