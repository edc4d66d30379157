/** GC: rules A37–A39. */
import { type Bench, changes } from "../bench.ts";
import {
  bare,
  hostLocal,
  type Json,
  type JsonRecord,
  network,
  ofEach,
  SUBNET,
  SUBNET6,
  spec,
  VALID,
} from "../case.ts";
import { callsOf, fakeNetwork, stdinOf, WITH_FAKES } from "../fake-ipam.ts";

const FAKE_PATH = { CNI_PATH: String(WITH_FAKES.env?.CNI_PATH) };

const BACKENDS = ["iptables", "nftables"] as const;
const entry = (container: string): JsonRecord => ({ containerID: `id-${container}`, ifname: "eth0" });
const THREE = { containers: ["c1", "c2", "c3"] };

/** What the attachments have, by container: host veth, lease and rules. */
async function holdings(bench: Bench): Promise<Record<string, readonly boolean[]>> {
  const rules = await bench.run("nft list ruleset; iptables-save; ip6tables-save");
  const leases = await bench.run(
    "grep -rl . /var/lib/cni/networks/spec 2>/dev/null | xargs -r grep -al '^id-c' | xargs -r cat",
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
      ipam: hostLocal([SUBNET, SUBNET6]),
    });
    for (const container of THREE.containers)
      bench.accepted(await bench.call("ADD", config, { container, label: `ADD ${container}` }));
    bench.accepted(await bench.call("GC", { ...config, ...keys }, bare("GC")));
    const expected = THREE.containers.map((container) => [container, left.includes(container) ? ALL : NONE]);
    bench.is("what is left", await holdings(bench), Object.fromEntries(expected));
    for (const container of THREE.containers)
      bench.accepted(await bench.call("DEL", config, { container, label: `DEL ${container}` }));
  });

const COLLECTED = BACKENDS.flatMap((backend) => [
  collects("one is stale", { [VALID]: [entry("c1"), entry("c3")] }, ["c1", "c3"], backend),
  collects("all are stale", { [VALID]: [entry("c9")] }, [], backend),
  collects("an empty list, and all live", { [VALID]: [] }, THREE.containers, backend),
  collects("null, and all live", { [VALID]: null, "cni.dev/attachments": null }, THREE.containers, backend),
  collects("none is stale", { [VALID]: THREE.containers.map(entry) }, THREE.containers, backend),
  collects("the other key", { "cni.dev/attachments": [entry("c2")] }, ["c2"], backend),
  collects("both keys", { [VALID]: [entry("c2")], "cni.dev/attachments": [entry("c2")] }, ["c2"], backend),
  collects(
    "another interface is valid",
    { [VALID]: [{ containerID: "id-c1", ifname: "eth1" }, entry("c2")] },
    ["c2"],
    backend,
  ),
]);

const GC_LEASES = spec("A37: GC frees leases that are not listed (host-local)", {}, async (bench) => {
  for (const id of ["a", "b", "c"])
    bench.accepted(await bench.call("ADD", network(), { plugin: "host-local", id, label: `ADD ${id}` }));
  const config = network({ [VALID]: [{ containerID: "b", ifname: "eth0" }] });
  bench.accepted(await bench.call("GC", config, { plugin: "host-local", ...bare("GC") }));
  bench.is("leases", await bench.leases(), ["10.10.0.3"]);
});

const GC_OTHERS = spec("A37: GC leaves other networks alone (bridge)", {}, async (bench) => {
  const mine = network({ ipMasq: true });
  bench.accepted(await bench.call("ADD", mine));
  const before = await bench.state();
  const other = network({ name: "other", ipMasq: true, [VALID]: [] });
  bench.accepted(await bench.call("GC", other, bare("GC of another network")));
  const own = (line: string) => !/\/networks\/(\.bridgehead|other)/.test(line);
  bench.is("what changed", changes(before, await bench.state()).filter(own), []);
});

const GC_LOOPBACK = spec("A37: GC has nothing to do (loopback)", { still: true }, async (bench) => {
  for (const list of [[], [entry("c1")]])
    bench.accepted(
      await bench.call("GC", network({ [VALID]: list }), {
        plugin: "loopback",
        ...bare(`GC, ${list.length} valid`),
      }),
    );
});

const GC_ERRORS = spec(
  "A37, A38: GC is forwarded, goes on past errors and reports them (bridge)",
  { containers: ["c1", "c2"] },
  async (bench) => {
    const keys = { [VALID]: [entry("c1")], marker: " \u00e4 " };
    const config = fakeNetwork(bench, "fake", {}, keys);
    bench.accepted(await bench.call("GC", config, bare("GC", FAKE_PATH)));
    bench.is("calls of the IPAM", callsOf("fake"), ["GC"]);
    bench.is("stdin of the IPAM", stdinOf("fake", "GC"), JSON.stringify(config));
    for (const container of ["c1", "c2"])
      bench.accepted(
        await bench.call("ADD", config, { ...WITH_FAKES, container, label: `ADD ${container}` }),
      );
    const failing = { GC: `echo '{"cniVersion":"1.1.0","code":119,"msg":"the pool is away"}'; exit 1` };
    const answer = await bench.call(
      "GC",
      fakeNetwork(bench, "fake", failing, keys),
      bare("GC that fails", FAKE_PATH),
    );
    bench.refused(answer, { code: 119, says: "the pool is away" });
    bench.is("eth0 of c1 is there", (await bench.links("c1")).has("eth0"), true);
    bench.is("eth0 of c2 is gone", (await bench.links("c2")).has("eth0"), false);
  },
);

const NO_LIST = ofEach(
  ["bridge", "host-local"],
  "A39: GC without a list deletes nothing",
  {},
  async (bench, plugin) => {
    const config = network({ ipMasq: true });
    bench.accepted(await bench.call("ADD", config));
    const before = await bench.state();
    bench.refused(await bench.call("GC", config, { plugin, ...bare("GC, absent") }), { code: 7 });
    await bench.unchanged("GC, absent", before);
    const wrong: Readonly<Record<string, Json>> = {
      text: "all",
      object: {},
      "a wrong item": [7],
      "an empty item": [{}],
    };
    for (const [how, list] of Object.entries(wrong)) {
      bench.refused(await bench.call("GC", { ...config, [VALID]: list }, { plugin, ...bare(`GC, ${how}`) }), {
        code: [6, 7],
      });
      await bench.unchanged(`GC, ${how}`, before);
    }
  },
);

export const GC = [...COLLECTED, GC_LEASES, GC_OTHERS, GC_LOOPBACK, GC_ERRORS, ...NO_LIST];
