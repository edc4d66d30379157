/** STATUS and GC, and calls at the same time: rules A35–A39 and A41. */
import { type Bench, changes } from "../bench.ts";
import {
  BARE,
  hostLocal,
  type Json,
  type JsonRecord,
  layer2,
  network,
  ofEach,
  PLUGINS,
  SUBNET,
  SUBNET6,
  spec,
  VALID,
} from "../case.ts";
import { callsOf, fakeNetwork, stdinOf, WITH_FAKES } from "../fake-ipam.ts";

const bare = (label: string, more: Readonly<Record<string, string>> = {}) => ({
  label,
  env: { ...BARE, ...more },
});
const FAKE_PATH = { CNI_PATH: String(WITH_FAKES.env?.CNI_PATH) };

const READY = ofEach(PLUGINS, "A35: STATUS of what is ready", { still: true }, async (bench, plugin) => {
  const configs = { plain: network(), masquerade: network({ ipMasq: true }), "layer 2": layer2() };
  for (const [what, config] of Object.entries(configs))
    if (plugin !== "host-local" || config.ipam !== undefined)
      bench.accepted(await bench.call("STATUS", config, { plugin, ...bare(`STATUS, ${what}`) }));
});

const SMALL = network({ ipam: hostLocal(["10.10.0.0/29"]) });

const EXHAUSTED = ofEach(
  ["bridge", "host-local"],
  "A35: STATUS when addresses are exhausted",
  {},
  async (bench, plugin) => {
    for (const id of ["a", "b", "c", "d", "e"]) {
      bench.accepted(await bench.call("STATUS", SMALL, { plugin, ...bare(`STATUS before ${id}`) }));
      bench.accepted(await bench.call("ADD", SMALL, { plugin: "host-local", id, label: `ADD of ${id}` }));
    }
    bench.refused(await bench.call("STATUS", SMALL, { plugin, ...bare("STATUS, exhausted") }), {
      code: [50, 51],
    });
    bench.accepted(await bench.call("DEL", SMALL, { plugin: "host-local", id: "c" }));
    bench.accepted(await bench.call("STATUS", SMALL, { plugin, ...bare("STATUS, one free again") }));
  },
);

/** In these mounts no program of a firewall can be found. */
const NO_FIREWALL = [
  "unshare",
  "--mount",
  "/bin/sh",
  "-c",
  'mount -t tmpfs none /usr/sbin && mount -t tmpfs none /usr/local/sbin && exec "$1"',
  "sh",
];

interface Obstacle {
  readonly script?: string;
  readonly config?: JsonRecord;
  readonly through?: readonly string[];
}

const OBSTACLES: Readonly<Record<string, Obstacle>> = {
  "the bridge's name is taken": { script: "ip link add cni0 type veth peer name other" },
  "the leases' folder is a file": {
    script: "mkdir -p /var/lib/cni/networks; echo > /var/lib/cni/networks/spec",
  },
  "there is no iptables to masquerade with": {
    config: network({ ipMasq: true, ipMasqBackend: "iptables" }),
    through: NO_FIREWALL,
  },
};

const UNREADY = Object.entries(OBSTACLES).map(([what, { script, config = network(), ...rest }]) =>
  spec(`A35: STATUS when ${what} (bridge)`, {}, async (bench) => {
    if (script !== undefined) await bench.run(script);
    const answer = await bench.call("STATUS", config, { ...bare("STATUS"), ...rest });
    bench.refused(answer, { code: [50, 51] });
  }),
);

const DELEGATE_STATUS = spec(
  "A36: STATUS runs the delegate's; its error becomes ours (bridge)",
  { still: true },
  async (bench) => {
    const ready = fakeNetwork(bench, "fake");
    bench.accepted(await bench.call("STATUS", ready, bare("STATUS, ready", FAKE_PATH)));
    bench.is("calls of the IPAM", callsOf("fake"), ["STATUS"]);
    for (const code of [50, 51, 11, 999, 117]) {
      const STATUS = `echo '{"cniVersion":"1.1.0","code":${code},"msg":"the pool is away","details":"of nobody"}'; exit 1`;
      const config = fakeNetwork(bench, "fake", { STATUS });
      const answer = await bench.call("STATUS", config, bare(`STATUS, ${code}`, FAKE_PATH));
      bench.refused(answer, { code, says: /the pool is away.*of nobody/ });
    }
    const nobody = await bench.call(
      "STATUS",
      network({ ipam: { type: "nobody" } }),
      bare("STATUS, no such IPAM"),
    );
    bench.refused(nobody, { code: [7, 50, 999], says: 'failed to find plugin "nobody"' });
  },
);

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

const GC = BACKENDS.flatMap((backend) => [
  collects("one is stale", { [VALID]: [entry("c1"), entry("c3")] }, ["c1", "c3"], backend),
  collects("all are stale", { [VALID]: [] }, [], backend),
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
    const lists: Readonly<Record<string, JsonRecord>> = {
      absent: {},
      null: { [VALID]: null },
      "both null": { [VALID]: null, "cni.dev/attachments": null },
    };
    for (const [how, keys] of Object.entries(lists)) {
      bench.refused(await bench.call("GC", { ...config, ...keys }, { plugin, ...bare(`GC, ${how}`) }), {
        code: 7,
      });
      await bench.unchanged(`GC, ${how}`, before);
    }
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

const CROWD = Array.from({ length: 10 }, (_, index) => `p${index}`);

const PARALLEL = spec(
  "A41: ADDs of different containers at the same time, and DELs (bridge)",
  { containers: CROWD, compared: false },
  async (bench) => {
    const config = network({ ipMasq: true });
    const added = await Promise.all(
      CROWD.map((container) => bench.call("ADD", config, { container, label: `ADD ${container}` })),
    );
    for (const answer of added) bench.accepted(answer);
    const ips = added.flatMap(({ document }) =>
      ((document?.ips ?? []) as JsonRecord[]).map(({ address }) => address),
    );
    bench.is("different addresses", new Set(ips).size, CROWD.length);
    bench.is("leases", (await bench.leases()).length, CROWD.length);
    const checked = await Promise.all(
      CROWD.map((container, index) =>
        bench.call("CHECK", config, { container, label: `CHECK ${container}`, after: added[index] as never }),
      ),
    );
    for (const answer of checked) bench.accepted(answer);
    const deleted = await Promise.all(
      CROWD.map((container) => bench.call("DEL", config, { container, label: `DEL ${container}` })),
    );
    for (const answer of deleted) bench.accepted(answer);
    bench.is("leases at the end", await bench.leases(), []);
    const veths = [...(await bench.links()).keys()].filter((name) => name.startsWith("veth"));
    bench.is("veths at the end", veths, []);
  },
);

const MANY = Array.from({ length: 30 }, (_, index) => `m${index}`);

const LEASES = spec(
  "A41: leases taken and given back at the same time (host-local)",
  { compared: false },
  async (bench) => {
    const config = network({ ipam: hostLocal([SUBNET, SUBNET6]) });
    const life = async (id: string, keep: boolean) => {
      const added = await bench.call("ADD", config, { plugin: "host-local", id, label: `ADD ${id}` });
      bench.accepted(added);
      if (!keep)
        bench.accepted(await bench.call("DEL", config, { plugin: "host-local", id, label: `DEL ${id}` }));
      return keep ? ((added.document?.ips ?? []) as JsonRecord[]).map(({ address }) => String(address)) : [];
    };
    const kept = (await Promise.all(MANY.map((id, index) => life(id, index % 2 === 0)))).flat();
    const addresses = kept.map((address) => address.replace(/\/\d+$/, ""));
    bench.is("leases", (await bench.leases()).sort(), addresses.sort());
    bench.is("two for each that is left", new Set(addresses).size, MANY.length);
  },
);

const LO = spec(
  "A41: at the same time (loopback)",
  { containers: CROWD.slice(0, 5), compared: false },
  async (bench) => {
    for (const command of ["ADD", "CHECK", "DEL"]) {
      const calls = CROWD.slice(0, 5).map((container) =>
        bench.call(command, network(), { plugin: "loopback", container, label: `${command} ${container}` }),
      );
      for (const answer of await Promise.all(calls)) bench.accepted(answer);
    }
  },
);

export const OPERATOR = [
  ...READY,
  ...EXHAUSTED,
  ...UNREADY,
  DELEGATE_STATUS,
  ...GC,
  GC_LEASES,
  GC_OTHERS,
  GC_LOOPBACK,
  GC_ERRORS,
  ...NO_LIST,
  PARALLEL,
  LEASES,
  LO,
];
