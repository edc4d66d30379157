/** CHECK: rules A32–A34. */
// Long because: a table of losses, one line each.
import type { Bench } from "../../engine/bench.ts";
import { hostLocal, type JsonRecord, layer2, network, PLUGIN_PATH, VERSIONS } from "../../engine/network.ts";
import { ofEach, spec } from "../case.ts";
import { callsOf, fakeNetwork } from "../fake-ipam.ts";

const CONFIGS: Readonly<Record<string, JsonRecord>> = {
  "layer 2": layer2(),
  "a gateway": network(),
  "both families": network({ ipam: hostLocal(["10.10.0.0/24", "fd00:10::/64"]), isDefaultGateway: true }),
  "masquerade by iptables": network({ ipMasq: true, ipMasqBackend: "iptables" }),
  "masquerade by nftables": network({ ipMasq: true, ipMasqBackend: "nftables" }),
  "spoof check, isolation, hairpin": network({ macspoofchk: true, portIsolation: true, hairpinMode: true }),
  "a promiscuous bridge, an mtu, a mac": network({
    promiscMode: true,
    mtu: 1400,
    runtimeConfig: { mac: "02:00:5e:00:00:07" },
  }),
  routes: network({
    ipam: hostLocal(undefined, { routes: [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.10.0.9" }] }),
  }),
};

for (const [what, config] of Object.entries(CONFIGS))
  spec(`A34: CHECK right after ADD passes: ${what} (bridge)`, async (bench) => {
    for (const cniVersion of VERSIONS.slice(4)) {
      const id = `v${cniVersion}`;
      const versioned = { ...config, cniVersion };
      const added = await bench.accepts("ADD", versioned, { id, how: cniVersion });
      for (const label of [`CHECK, ${cniVersion}`, `CHECK again, ${cniVersion}`])
        await bench.accepts("CHECK", versioned, { id, label, after: added });
      await bench.accepts("DEL", versioned, { id, how: cniVersion, after: added });
    }
  });
ofEach(["host-local", "loopback"], "A34: CHECK right after ADD passes", async (bench) => {
  for (const cniVersion of VERSIONS.slice(4)) {
    const id = `v${cniVersion}`;
    const added = await bench.accepts("ADD", network({ cniVersion }), { id, how: cniVersion });
    await bench.accepts("CHECK", network({ cniVersion }), { id, how: cniVersion, after: added });
  }
});

spec("A34: CHECK runs the delegate's CHECK and passes its error on (bridge)", async (bench) => {
  const config = fakeNetwork(bench, "fake");
  const added = await bench.call("ADD", config);
  await bench.accepts("CHECK", config, { after: added });
  bench.is("calls of the IPAM", callsOf("fake"), ["ADD", "CHECK"]);
  const CHECK = `echo '{"cniVersion":"1.1.0","code":118,"msg":"the lease is lost","details":"of the pool"}'; exit 1`;
  const failing = fakeNetwork(bench, "fake", { CHECK });
  await bench.refuses({ code: 118, says: /the lease is lost.*of the pool/ }, "CHECK", failing, {
    after: added,
  });
});

const inside = (command: string) => `nsenter --net=/run/netns/c1 sh -c '${command}'`;

/** What plugins that come later in a chain do, and the prevResult that they give on. */
const LATER: Readonly<
  Record<string, { readonly script?: string; readonly edit?: (result: Editable) => void }>
> = {
  "a further address on the interface": { script: inside("ip addr add 192.0.2.7/24 dev eth0") },
  "a further route": { script: inside("ip route add 198.51.100.0/24 via 10.10.0.1") },
  "a further interface in the result": {
    edit: (result) => result.interfaces.push({ name: "tap0", mac: "02:00:5e:00:00:09" }),
  },
  "an interface and its address in the result": {
    script: inside("ip link add net1 type bridge; ip addr add 192.0.2.8/24 dev net1"),
    edit: (result) => {
      result.interfaces.push({ name: "net1", sandbox: "/run/netns/c1" });
      result.ips.push({ address: "192.0.2.8/24", interface: 3 });
    },
  },
  "dns in the result": { edit: (result) => Object.assign(result, { dns: { nameservers: ["192.0.2.53"] } }) },
  "promiscuous mode on the container's end": { script: inside("ip link set eth0 promisc on") },
  "rules of a firewall": {
    script: "nft add table inet later; nft add chain inet later c; nft add rule inet later c drop",
  },
  "another sysctl": { script: inside("echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_filter") },
  "another mtu on the container's end, as tuning sets it": { script: inside("ip link set eth0 mtu 1300") },
  "another queue length": { script: inside("ip link set eth0 txqueuelen 77") },
};

interface Editable {
  interfaces: JsonRecord[];
  ips: JsonRecord[];
}

async function check(
  bench: Bench,
  config: JsonRecord,
  added: { document: JsonRecord | undefined },
  edit?: (result: Editable) => void,
) {
  const prevResult = structuredClone(added.document ?? {}) as JsonRecord;
  edit?.(prevResult as unknown as Editable);
  return bench.call("CHECK", { ...config, prevResult });
}

for (const [what, { script, edit }] of Object.entries(LATER))
  spec(`A32: CHECK tolerates what later plugins changed: ${what} (bridge)`, async (bench) => {
    const config = network({ ipMasq: true, ipMasqBackend: "nftables" });
    const added = await bench.accepts("ADD", config);
    if (script !== undefined) await bench.run(script);
    bench.accepted(await check(bench, config, added, edit));
  });

const CONSULTED: Readonly<Record<string, (result: Editable) => void>> = {
  "another address": (result) => Object.assign(result.ips[0] ?? {}, { address: "10.10.0.99/24" }),
  "another hardware address": (result) =>
    Object.assign(result.interfaces[2] ?? {}, { mac: "02:00:5e:00:00:99" }),
  "another sandbox": (result) => Object.assign(result.interfaces[2] ?? {}, { sandbox: "/run/netns/other" }),
  "a route that is not there": (result) =>
    Object.assign(result, { routes: [{ dst: "203.0.113.0/24", gw: "10.10.0.1" }] }),
  "no interface of this container": (result) => result.interfaces.splice(2),
};

for (const [what, edit] of Object.entries(CONSULTED))
  spec(`A32: CHECK consults prevResult: ${what} (bridge)`, async (bench) => {
    const added = await bench.call("ADD", network());
    bench.refused(await check(bench, network(), added, edit), { code: [7, 999] });
  });
spec("A32: CHECK needs prevResult (bridge)", async (bench) => {
  await bench.accepts("ADD", network());
  await bench.refuses({ code: 7, says: "Required prevResult missing" }, "CHECK", network());
});

const FULL = network({
  mtu: 1400,
  ipMasq: true,
  macspoofchk: true,
  ipam: hostLocal(["10.10.0.0/24", "fd00:10::/64"], { routes: [{ dst: "192.0.2.0/24", gw: "10.10.0.9" }] }),
});

/** The one veth of the host. */
const HOST_END = "$(ip -o link show type veth | cut -d: -f2 | cut -d@ -f1)";

const LOSSES: Readonly<Record<string, string>> = {
  "the container's interface": inside("ip link del eth0"),
  "the container's interface, another in its place": inside("ip link del eth0; ip link add eth0 type bridge"),
  // The kernel takes the pair away in its own time.
  "the namespace":
    "ip netns del c1; for i in $(seq 500); do ip -o link show type veth | grep -q . || break; sleep 0.01; done",
  "an address": inside("ip addr del 10.10.0.2/24 dev eth0"),
  "an IPv6 address": inside("ip addr del fd00:10::2/64 dev eth0"),
  "the prefix length": inside(
    "ip addr del 10.10.0.2/24 dev eth0; ip addr add 10.10.0.2/16 dev eth0; ip route add 192.0.2.0/24 via 10.10.0.9",
  ),
  "a route": inside("ip route del 192.0.2.0/24"),
  "the container's interface is down": inside("ip link set eth0 down"),
  "the hardware address": inside("ip link set eth0 address 02:00:5e:00:00:55"),
  "the bridge": "ip link del cni0",
  "the bridge is down": "ip link set cni0 down",
  "the port is none": `ip link set ${HOST_END} nomaster`,
  "the host's end is down": `ip link set ${HOST_END} down`,
  "the gateway's address": "ip addr del 10.10.0.1/24 dev cni0",
  "the mtu of the host's end": `ip link set ${HOST_END} mtu 1300`,
  "the lease": "rm /var/lib/cni/networks/net/10.10.0.2 /var/lib/cni/networks/net/fd00:10::2",
  "the spoof check": "nft delete table bridge nat",
};

const RULES: Readonly<Record<string, string>> = {
  iptables: "iptables -t nat -F POSTROUTING; ip6tables -t nat -F POSTROUTING",
  nftables: "nft flush table inet cni_plugins_masquerade",
};

const fails = (what: string, config: JsonRecord, script: string) =>
  spec(`A33: CHECK fails after a loss: ${what} (bridge)`, async (bench) => {
    const added = await bench.accepts("ADD", config);
    bench.accepted(await check(bench, config, added));
    await bench.run(script);
    await bench.refuses({ code: [7, 8, 999] }, "CHECK", config, {
      after: added,
      label: "CHECK after the loss",
    });
  });

for (const [what, script] of Object.entries(LOSSES)) fails(what, FULL, script);
for (const [ipMasqBackend, script] of Object.entries(RULES))
  fails(`masquerade by ${ipMasqBackend}`, { ...FULL, ipMasqBackend }, script);
fails("isolation", network({ portIsolation: true }), `bridge link set dev ${HOST_END} isolated off`);
fails("hairpin mode", network({ hairpinMode: true }), `bridge link set dev ${HOST_END} hairpin off`);
fails("promiscuous mode", network({ promiscMode: true }), "ip link set cni0 promisc off");
fails("the interface, layer 2", layer2(), inside("ip link del eth0"));

spec("A33: CHECK fails without its IPAM (bridge)", async (bench) => {
  const config = fakeNetwork(bench, "fake");
  const added = await bench.accepts("ADD", config);
  bench.path = PLUGIN_PATH;
  await bench.refuses({ code: [7, 999], says: 'failed to find plugin "fake"' }, "CHECK", config, {
    after: added,
  });
});

ofEach(["host-local", "loopback"], "A33: CHECK fails after a loss", async (bench, plugin) => {
  const added = await bench.accepts("ADD", network());
  const losses =
    plugin === "loopback"
      ? { "lo is down": inside("ip link set lo down") }
      : {
          "the lease is another's": "printf 'other\\r\\neth0' > /var/lib/cni/networks/net/10.10.0.2",
          "the lease is gone": "rm /var/lib/cni/networks/net/10.10.0.2",
          "all leases are gone": "rm -rf /var/lib/cni/networks",
        };
  for (const [what, script] of Object.entries(losses)) {
    await bench.run(script);
    await bench.refuses({ code: [7, 999] }, "CHECK", network(), { after: added, how: what });
  }
});
