/** DEL: rules A29–A31. */
import type { Bench } from "../../engine/bench.ts";
import { hostLocal, type JsonRecord, layer2, netnsPath, network, PLUGINS } from "../../engine/network.ts";
import { ofEach, spec } from "../case.ts";
import { callsOf, fakeNetwork } from "../fake-ipam.ts";

const BACKENDS = ["iptables", "nftables"] as const;

const masqueraded = (ipMasqBackend: string, keys: JsonRecord = {}) =>
  network({ ipMasq: true, ipMasqBackend, ipam: hostLocal(["10.10.0.0/24", "fd00:10::/64"]), ...keys });

/** Veths of the host, leases, and rules that name the attachment: what nobody may have after DEL. */
async function leftovers(bench: Bench): Promise<string[]> {
  const veths = [...(await bench.links()).keys()].filter((name) => name.startsWith("veth"));
  const rules = await bench.run("nft list ruleset; iptables-save; ip6tables-save");
  const own = rules.split("\n").filter((line) => /id-c\d|CNI-[0-9a-f]{24}|cni-br-iface-id/.test(line));
  return [...veths, ...bench.leases(), ...own.map((line) => line.trim())];
}

ofEach(PLUGINS, "A29: DEL without ADD", { still: true }, async (bench, plugin) => {
  for (const config of [
    network(),
    layer2(),
    masqueraded("iptables"),
    masqueraded("nftables"),
    network({ macspoofchk: true }),
  ])
    if (plugin !== "host-local" || config.ipam !== undefined) await bench.accepts("DEL", config);
});

ofEach(PLUGINS, "A29: DEL many times", async (bench) => {
  const added = await bench.accepts("ADD", network());
  for (const label of ["DEL", "DEL again", "DEL a third time"])
    await bench.accepts("DEL", network(), { label, after: added });
  bench.is("left", await leftovers(bench), []);
});

/** Somebody takes a part away before DEL. */
const LOSSES: Readonly<Record<string, string>> = {
  "the container's interface": "ip netns exec c1 ip link del eth0",
  "the bridge": "ip link del cni0",
  "the lease": "rm /var/lib/cni/networks/net/10.10.0.2",
  "all leases": "rm -rf /var/lib/cni/networks",
  "the rules": "nft flush ruleset",
  everything: "ip netns exec c1 ip link del eth0; ip link del cni0; rm -rf /var/lib/cni; nft flush ruleset",
};

for (const backend of BACKENDS)
  for (const [what, script] of Object.entries(LOSSES))
    spec(`A29: DEL after somebody removed ${what}, ${backend} (bridge)`, async (bench) => {
      const added = await bench.accepts("ADD", masqueraded(backend, { macspoofchk: true }));
      await bench.run(script);
      await bench.accepts("DEL", masqueraded(backend, { macspoofchk: true }), { after: added });
      bench.is("left", await leftovers(bench), []);
    });

/** The runtime can't or does not tell the namespace any more. */
const GONE: Readonly<Record<string, { readonly script?: string; readonly netns?: string | undefined }>> = {
  "CNI_NETNS empty": { netns: "" },
  "CNI_NETNS unset": { netns: undefined },
  "the namespace deleted": { script: "ip netns del c1" },
  "a path that never was": { netns: "/run/netns/never" },
  "the path a plain file": { script: `umount -l ${netnsPath("c1")}`, netns: netnsPath("c1") },
};

for (const backend of BACKENDS)
  for (const [how, { script, ...rest }] of Object.entries(GONE))
    spec(`A30: DEL with ${how}, ${backend} (bridge)`, async (bench) => {
      const config = masqueraded(backend, { macspoofchk: true });
      await bench.accepts("ADD", config);
      if (script !== undefined) await bench.run(script);
      const env = "netns" in rest ? { CNI_NETNS: rest.netns } : {};
      await bench.accepts("DEL", config, { env });
      bench.is("left", await leftovers(bench), []);
    });

ofEach(["host-local", "loopback"], "A30: DEL without a namespace", async (bench) => {
  for (const [how, CNI_NETNS] of Object.entries({ empty: "", gone: "/run/netns/never", unset: undefined })) {
    await bench.accepts("ADD", network(), { how });
    await bench.accepts("DEL", network(), { how, env: { CNI_NETNS } });
    bench.is("leases", bench.leases(), []);
  }
});

spec("A30: IPAM's DEL is called whatever became of the namespace (bridge)", async (bench) => {
  const config = fakeNetwork(bench, "fake");
  await bench.accepts("ADD", config);
  for (const CNI_NETNS of ["", undefined, "/run/netns/never"])
    await bench.accepts("DEL", config, { env: { CNI_NETNS } });
  bench.is("calls of the IPAM", callsOf("fake"), ["ADD", "DEL", "DEL", "DEL"]);
});

const FAIL_DEL = { DEL: `echo '{"cniVersion":"1.1.0","code":117,"msg":"the pool is away"}'; exit 1` };

for (const backend of BACKENDS)
  spec(`A31: DEL goes on past an error of the IPAM and reports it, ${backend} (bridge)`, async (bench) => {
    const config = fakeNetwork(bench, "fake", FAIL_DEL, {
      ipMasq: true,
      ipMasqBackend: backend,
      macspoofchk: true,
    });
    const added = await bench.accepts("ADD", config);
    await bench.refuses({ code: 117, says: "the pool is away" }, "DEL", config, { after: added });
    bench.is("left", await leftovers(bench), []);
    bench.is("eth0 is gone", (await bench.links("c1")).has("eth0"), false);
  });

/** Root that may enter namespaces but change nothing in a network. */
const POWERLESS = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];

/** The next container must not get an address that an interface has. */
spec("A31: the address of an interface that stays is not released (bridge)", async (bench) => {
  const config = fakeNetwork(bench, "fake");
  const added = await bench.accepts("ADD", config);
  await bench.refuses({ code: 999, says: "operation not permitted" }, "DEL", config, {
    after: added,
    through: POWERLESS,
  });
  bench.is("eth0 is there", (await bench.links("c1")).has("eth0"), true);
  bench.is("calls of the IPAM", callsOf("fake"), ["ADD"]);
  await bench.accepts("DEL", config, { after: added, label: "DEL with all rights" });
  bench.is("left", await leftovers(bench), []);
  bench.is("calls of the IPAM at the end", callsOf("fake"), ["ADD", "DEL"]);
});

/** Somebody's rule jumps to a chain of the attachment: the kernel does not let it be deleted. */
const HOLD_CHAIN = `nft add chain bridge nat theirs
nft add rule bridge nat theirs jump cni-br-iface-id-c1-eth0`;

spec("A31: DEL reports every error (bridge)", async (bench) => {
  const config = fakeNetwork(bench, "fake", FAIL_DEL, { macspoofchk: true });
  const added = await bench.accepts("ADD", config);
  await bench.run(HOLD_CHAIN);
  const failed = await bench.refuses({ code: [117, 999], says: "the pool is away" }, "DEL", config, {
    after: added,
  });
  bench.holds("the chain's error as well", /busy/i.test(failed.message), failed.message);
  bench.is("calls of the IPAM", callsOf("fake"), ["ADD", "DEL"]);
  bench.is("eth0 is gone", (await bench.links("c1")).has("eth0"), false);
});

ofEach(PLUGINS, "A31: DEL without prevResult", async (bench) => {
  const config = network({ ipMasq: true, macspoofchk: true });
  await bench.accepts("ADD", config);
  await bench.accepts("DEL", config);
  bench.is("left", await leftovers(bench), []);
});
