/** GC of attachments whose interfaces live (K6), and of a runtime that lists nothing (K28). */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { builtBinaries, type PluginOutcome } from "../../support/plugin-call.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { addByGo } from "./go-attachment.ts";
import {
  attach,
  BRIDGE,
  configuration,
  LEASES,
  leased,
  linkNames,
  listing,
  NETWORK,
  networkTest,
  portsOf,
  prepare,
} from "./network.ts";

const KEYS = { isGateway: true, ipMasq: true, ipMasqBackend: "nftables", macspoofchk: true };

/** Ids of the containers that some rule or chain names. */
async function ruled(host: ScratchHost): Promise<string[]> {
  const named = (await host.run("nft list ruleset")).matchAll(/(?:id: |cni-br-iface-)(c[0-9])/g);
  return [...new Set([...named].map(([, id]) => id ?? ""))].sort();
}

/** Whether an address is masqueraded. */
const masqueraded = async (host: ScratchHost, address: string) =>
  new RegExp(`saddr (\\{ )?${address} `).test(await host.run("nft list ruleset"));

/** A GC that must succeed; what it says on stderr. */
async function collect(host: ScratchHost, config: string | object, path?: string): Promise<string> {
  const call = { command: "GC", config, ...(path !== undefined && { path }) };
  const outcome: PluginOutcome = await host.plugin("bridge", call);
  expect(`${outcome}`).toStartWith('exit code 0, stdout ""');
  return outcome.stderr;
}

const listed = (...ids: string[]) => configuration({ ...KEYS, ...listing(...ids) });

/**
 * What CRI-O's libcni writes at its start when no pod runs: a Go map, so with sorted keys, in which both keys hold a
 * nil slice.
 */
const CRIO = JSON.stringify(
  Object.fromEntries(
    Object.entries(
      configuration({ ...KEYS, "cni.dev/attachments": null, "cni.dev/valid-attachments": null }),
    ).sort(([a], [b]) => (a < b ? -1 : 1)),
  ),
);

/** A container that went without a DEL, with all that it had but its interface. */
async function lost(host: ScratchHost, name: string): Promise<void> {
  await attach(host, name, KEYS);
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
  networkTest.each([
    ["of CRI-O at its start", CRIO],
    ["with null", JSON.stringify(configuration({ ...KEYS, "cni.dev/valid-attachments": null }))],
    [
      "with null under the older key",
      JSON.stringify(configuration({ ...KEYS, "cni.dev/attachments": null })),
    ],
    ["with an empty list", JSON.stringify(listed())],
  ])("%s keeps what lives, names it, and collects all else", async (host, _, stdin) => {
    const living = await attach(host, "c1", KEYS);
    await lost(host, "c2");
    writeFileSync(`${LEASES}/10.77.0.9`, "c3\r\neth0");
    expect(leased()).toEqual(["10.77.0.2", "10.77.0.3", "10.77.0.9"]);
    expect(await ruled(host)).toEqual(["c1", "c2"]);
    const kept = `kept host veth "${living.veth}" (bridgehead:testnet/c1/eth0)`;
    expect(await collect(host, stdin)).toContain(kept);
    expect(leased()).toEqual(["10.77.0.2"]);
    expect(await portsOf(host)).toEqual([living.veth]);
    expect(await ruled(host)).toEqual(["c1"]);
    await living.check();
    await living.del();
  });

  networkTest("after a reboot, with nothing alive, everything goes", async (host) => {
    await lost(host, "c1");
    await lost(host, "c2");
    writeFileSync(`${LEASES}/10.77.0.9`, "c3\r\neth0");
    await host.run(`ip link del ${BRIDGE}`);
    expect(await collect(host, CRIO)).not.toContain("kept");
    expect(leased()).toEqual([]);
    expect(await ruled(host)).toEqual([]);
  });

  networkTest("keeps what the Go plugins made and lives: pair, lease and rules", async (host) => {
    await lost(host, "c0");
    const one = await prepare(host, "c1", KEYS);
    const made = await addByGo(host, one.namespace, "10.77.0.10");
    await masqueradeByGo(host, "c1", "10.77.0.10");
    expect(await collect(host, CRIO)).toContain(
      `10.77.0.10 of container c1, interface eth0 is kept: interface "eth0" behind host veth "${made.veth}"`,
    );
    expect(leased()).toEqual(["10.77.0.10"]);
    expect(await portsOf(host)).toEqual([made.veth]);
    expect(await masqueraded(host, "10.77.0.10")).toBe(true);
    expect(await ruled(host)).toEqual(["c1"]);
    await one.del();
    expect(leased()).toEqual([]);
  });

  networkTest("leaves all rules where something lives that does not tell whose they are", async (host) => {
    await lost(host, "c0");
    const one = await prepare(host, "c1", KEYS);
    await addByGo(host, one.namespace, "10.77.0.10", { lease: false });
    await masqueradeByGo(host, "c1", "10.77.0.10");
    expect(await collect(host, CRIO)).toContain("not collecting masquerade rules");
    expect(await masqueraded(host, "10.77.0.10")).toBe(true);
    expect(leased()).toEqual([]);
    await one.del();
    await collect(host, CRIO);
  });

  networkTest(
    "an IPAM that is another file gets the list of what lives, and nothing where that is not known",
    async (host) => {
      const living = await attach(host, "c1", KEYS);
      await lost(host, "c2");
      using folder = new ProgramFolder();
      await host.run(`cp ${builtBinaries()}/host-local ${folder.path}`);
      const unknown = await prepare(host, "c3", KEYS);
      await addByGo(host, unknown.namespace, "10.77.0.10");
      expect(await collect(host, CRIO, folder.path)).toContain("not collecting addresses");
      expect(leased()).toEqual(["10.77.0.10", "10.77.0.2", "10.77.0.3"]);
      await unknown.del();
      await collect(host, CRIO, folder.path);
      expect(leased()).toEqual(["10.77.0.2"]);
      expect(await ruled(host)).toEqual(["c1"]);
      await living.del();
    },
  );

  networkTest("an attachment whose names fit into no alias is kept with its rules", async (host) => {
    const one = await prepare(host, "c1", { ...KEYS, macspoofchk: false });
    const call = async (command: string) => {
      const request = { ...one.request(command), containerId: `c1${"x".repeat(230)}` };
      expect(`${await host.plugin("bridge", request)}`).toStartWith("exit code 0");
    };
    await call("ADD");
    await collect(host, CRIO);
    expect(leased()).toEqual(["10.77.0.2"]);
    expect((await portsOf(host)).length).toBe(1);
    expect(await masqueraded(host, "10.77.0.2")).toBe(true);
    await call("DEL");
  });
});

describe("K6: GC of what is not listed", () => {
  networkTest(
    "removes an attachment of the Go plugins that proves to be its own: pair, rules and lease",
    async (host) => {
      const living = await attach(host, "c0", KEYS);
      const [one, two] = [await prepare(host, "c1", KEYS), await prepare(host, "c2", KEYS)];
      const stale = await addByGo(host, one.namespace, "10.77.0.10");
      const valid = await addByGo(host, two.namespace, "10.77.0.11");
      for (const { containerId, address } of [stale, valid]) await masqueradeByGo(host, containerId, address);
      const said = await collect(host, listed("c0", "c2"));
      expect(said).toContain(`removed interface "eth0" behind host veth "${stale.veth}"`);
      expect(await portsOf(host)).toEqual([living.veth, valid.veth].sort());
      expect(leased()).toEqual(["10.77.0.11", "10.77.0.2"]);
      expect(await ruled(host)).toEqual(["c0", "c2"]);
      await two.del();
      await living.del();
    },
  );

  networkTest("keeps pair, address and rules of one that does not, and names them", async (host) => {
    const living = await attach(host, "c0", KEYS);
    const c1 = await host.addNamespace("c1");
    const unclear = await addByGo(host, c1, "10.77.0.10");
    await masqueradeByGo(host, "c1", "10.77.0.10");
    await c1.run("ip link set eth0 down name net1; ip addr add 10.77.0.10/24 dev net1; true");
    expect(await collect(host, listed("c0"))).toContain(
      `10.77.0.10 of container c1, interface eth0 is kept: interface "net1" behind host veth "${unclear.veth}" is still there`,
    );
    expect(await portsOf(host)).toEqual([living.veth, unclear.veth].sort());
    expect(leased()).toEqual(["10.77.0.10", "10.77.0.2"]);
    expect(await ruled(host)).toEqual(["c0", "c1"]);
    await host.run(`ip link del ${unclear.veth}`);
    await collect(host, listed("c0"));
    expect(leased()).toEqual(["10.77.0.2"]);
    await living.del();
  });

  networkTest.each([
    ["the host's end renamed", "ip link set VETH down name pod7"],
    ["the alias taken away", 'ip link set VETH alias ""'],
    ["the alias taken away and the host's end renamed", 'ip link set VETH down alias "" name pod7'],
    ["the container's end renamed", "ip -n c1 link set eth0 down name net1"],
    ["no bridge", "ip link set VETH nomaster"],
  ])("removes one of ours with %s", async (host, _, change) => {
    const stale = await attach(host, "c1", KEYS);
    const living = await attach(host, "c2", KEYS);
    await host.run(change.replace("VETH", stale.veth));
    await collect(host, listed("c2"));
    expect(await linkNames(host, "type veth")).toEqual([living.veth]);
    expect(leased()).toEqual(["10.77.0.3"]);
    expect(await ruled(host)).toEqual(["c2"]);
    await living.check();
    await living.del();
  });
});
