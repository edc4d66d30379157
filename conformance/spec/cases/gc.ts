/** GC: rules A37–A39. */
import type { Bench } from "../../engine/bench.ts";
import { hostLocal, type Json, type JsonRecord, network, VALID } from "../../engine/network.ts";
import { bare, ofEach, spec } from "../case.ts";
import { callsOf, fakeNetwork, stdinOf } from "../fake-ipam.ts";

const BACKENDS = ["iptables", "nftables"] as const;
const entry = (container: string): JsonRecord => ({ containerID: `id-${container}`, ifname: "eth0" });
const THREE = { containers: ["c1", "c2", "c3"] };

/** What the attachments have, by container: host veth, lease and rules. */
async function holdings(bench: Bench): Promise<Record<string, readonly boolean[]>> {
  const rules = await bench.run("nft list ruleset; iptables-save; ip6tables-save");
  const leases = await bench.run(
    "grep -rl . /var/lib/cni/networks/net 2>/dev/null | xargs -r grep -al '^id-c' | xargs -r cat",
  );
  const held = ["c1", "c2", "c3"].map(async (container) => {
    const link = (await bench.links(container)).has("eth0");
    return [
      container,
      [link, leases.includes(`id-${container}`), rules.includes(`id-${container}`)],
    ] as const;
  });
  return Object.fromEntries(await Promise.all(held));
}

const ALL = [true, true, true];
const NONE = [false, false, false];

const collects = (what: string, keys: JsonRecord, left: readonly string[], backend: string) =>
  spec(`A37, A39: GC, ${what}, ${backend} (bridge)`, THREE, async (bench) => {
    const config = network({
      ipMasq: true,
      ipMasqBackend: backend,
      macspoofchk: true,
      ipam: hostLocal(["10.10.0.0/24", "fd00:10::/64"]),
    });
    for (const container of THREE.containers)
      await bench.accepts("ADD", config, { container, label: `ADD ${container}` });
    await bench.accepts("GC", { ...config, ...keys }, bare("GC"));
    const expected = THREE.containers.map((container) => [container, left.includes(container) ? ALL : NONE]);
    bench.is("what is left", await holdings(bench), Object.fromEntries(expected));
    for (const container of THREE.containers)
      await bench.accepts("DEL", config, { container, label: `DEL ${container}` });
  });

const ALL_LIVE = THREE.containers;

/** The list that GC gets, and what is left then. */
const COLLECTED: Readonly<Record<string, readonly [keys: JsonRecord, left: readonly string[]]>> = {
  "one is stale": [{ [VALID]: [entry("c1"), entry("c3")] }, ["c1", "c3"]],
  "all are stale": [{ [VALID]: [entry("c9")] }, []],
  "an empty list, and all live": [{ [VALID]: [] }, ALL_LIVE],
  "null, and all live": [{ [VALID]: null, "cni.dev/attachments": null }, ALL_LIVE],
  "none is stale": [{ [VALID]: ALL_LIVE.map(entry) }, ALL_LIVE],
  "the other key": [{ "cni.dev/attachments": [entry("c2")] }, ["c2"]],
  "both keys": [{ [VALID]: [entry("c2")], "cni.dev/attachments": [entry("c2")] }, ["c2"]],
  "another interface is valid": [{ [VALID]: [{ ...entry("c1"), ifname: "eth1" }, entry("c2")] }, ["c2"]],
};

for (const backend of BACKENDS)
  for (const [what, [keys, left]] of Object.entries(COLLECTED)) collects(what, keys, left, backend);

spec("A37: GC frees leases that are not listed (host-local)", async (bench) => {
  for (const id of ["a", "b", "c"])
    await bench.accepts("ADD", network(), { plugin: "host-local", id, label: `ADD ${id}` });
  const config = network({ [VALID]: [{ containerID: "b", ifname: "eth0" }] });
  await bench.accepts("GC", config, { plugin: "host-local", ...bare("GC") });
  bench.is("leases", bench.leases(), ["10.10.0.3"]);
});

spec("A37: GC leaves other networks alone (bridge)", async (bench) => {
  const mine = network({ ipMasq: true });
  await bench.accepts("ADD", mine);
  const before = await bench.state();
  const other = network({ name: "other", ipMasq: true, [VALID]: [] });
  await bench.accepts("GC", other, bare("GC of another network"));
  await bench.unchanged("afterwards", before, /\/networks\/(\.bridgehead|other)/);
});

spec("A37: GC has nothing to do (loopback)", { still: true }, async (bench) => {
  for (const list of [[], [entry("c1")]])
    await bench.accepts("GC", network({ [VALID]: list }), {
      plugin: "loopback",
      ...bare(`GC, ${list.length} valid`),
    });
});

spec(
  "A37, A38: GC is forwarded, goes on past errors and reports them (bridge)",
  { containers: ["c1", "c2"] },
  async (bench) => {
    const keys = { [VALID]: [entry("c1")], marker: " \u00e4 " };
    const config = fakeNetwork(bench, "fake", {}, keys);
    await bench.accepts("GC", config, bare("GC"));
    bench.is("calls of the IPAM", callsOf("fake"), ["GC"]);
    bench.is("stdin of the IPAM", stdinOf("fake", "GC"), JSON.stringify(config));
    for (const container of ["c1", "c2"])
      await bench.accepts("ADD", config, { container, label: `ADD ${container}` });
    const failing = { GC: `echo '{"cniVersion":"1.1.0","code":119,"msg":"the pool is away"}'; exit 1` };
    await bench.refuses(
      { code: 119, says: "the pool is away" },
      "GC",
      fakeNetwork(bench, "fake", failing, keys),
      bare("GC that fails"),
    );
    bench.is("eth0 of c1 is there", (await bench.links("c1")).has("eth0"), true);
    bench.is("eth0 of c2 is gone", (await bench.links("c2")).has("eth0"), false);
  },
);

ofEach(["bridge", "host-local"], "A39: GC without a list deletes nothing", async (bench) => {
  const config = network({ ipMasq: true });
  await bench.accepts("ADD", config, { plugin: "bridge" });
  const before = await bench.state();
  await bench.refuses({ code: 7 }, "GC", config, bare("GC, absent"));
  await bench.unchanged("GC, absent", before);
  const wrong: Readonly<Record<string, Json>> = {
    text: "all",
    object: {},
    "a wrong item": [7],
    "an empty item": [{}],
  };
  for (const [how, list] of Object.entries(wrong)) {
    await bench.refuses({ code: [6, 7] }, "GC", { ...config, [VALID]: list }, { ...bare(`GC, ${how}`) });
    await bench.unchanged(`GC, ${how}`, before);
  }
});
