/** Results of ADD: rules A21, A22 and A25. Their form is judged at every call (result-shape.ts). */
import { objectIn } from "../../engine/answer.ts";
import type { Bench } from "../../engine/bench.ts";
import {
  FILES,
  hostLocal,
  type JsonRecord,
  layer2,
  network,
  type PluginName,
  VERSIONS,
} from "../../engine/network.ts";
import { ofEach, spec } from "../case.ts";

const ROUTES = [
  { dst: "192.0.2.0/24", gw: "10.10.0.1" },
  { dst: "198.51.100.0/24", mtu: 1300, advmss: 1200, priority: 50, table: 200, scope: 0 },
];
const DNS = {
  nameservers: ["10.10.0.53"],
  domain: "spec.example",
  search: ["a.example"],
  options: ["ndots:2"],
};

/** One address of IPv4, one of IPv6, one of each; and all that a result can hold. */
const KINDS: Readonly<Record<string, (cniVersion: string) => JsonRecord>> = {
  IPv4: (cniVersion) => network({ cniVersion }),
  IPv6: (cniVersion) => network({ cniVersion, ipam: hostLocal(["fd00:10::/64"]) }),
  "two families": (cniVersion) => network({ cniVersion, ipam: hostLocal(["10.10.0.0/24", "fd00:10::/64"]) }),
  "routes and dns": (cniVersion) =>
    network({ cniVersion, dns: DNS, ipam: hostLocal(["10.10.0.0/24"], { routes: ROUTES }) }),
};

/** What the result must say of addresses, in the words of its version. */
function judgeAddresses(
  bench: Bench,
  label: string,
  result: JsonRecord | undefined,
  cniVersion: string,
  kind: string,
): void {
  const expected = [
    ...(kind === "IPv6" ? [] : [{ version: "4", address: "10.10.0.2/24", gateway: "10.10.0.1" }]),
    ...(kind === "IPv6" || kind === "two families"
      ? [{ version: "6", address: "fd00:10::2/64", gateway: "fd00:10::1" }]
      : []),
  ];
  if (cniVersion < "0.3.0") {
    for (const { version, address, gateway } of expected) {
      const { ip, gateway: given } = (result?.[`ip${version}`] ?? {}) as JsonRecord;
      bench.is(`${label}: ip${version}`, { ip, gateway: given }, { ip: address, gateway });
    }
    return;
  }
  const ips = ((result?.ips ?? []) as JsonRecord[]).map(({ interface: _, ...ip }) => ip);
  bench.is(
    `${label}: ips`,
    ips,
    cniVersion < "1.0.0" ? expected : expected.map(({ version: _, ...rest }) => rest),
  );
}

for (const plugin of ["bridge", "host-local"] as const)
  for (const [kind, configOf] of Object.entries(KINDS))
    spec(
      `A21, A22${plugin === "host-local" ? ", A25" : ""}: results of every version: ${kind} (${plugin})`,
      async (bench) => {
        for (const cniVersion of VERSIONS) {
          const id = `v${cniVersion}`;
          const added = await bench.accepts("ADD", configOf(cniVersion), { plugin, id, how: cniVersion });
          judgeAddresses(bench, cniVersion, added.document, cniVersion, kind);
          if (kind === "routes and dns") judgeRoutes(bench, added.document, cniVersion, plugin);
          await bench.accepts("DEL", configOf(cniVersion), { plugin, id, how: cniVersion });
          // The next one shall get the same address.
          await bench.run("rm -rf /var/lib/cni/networks");
        }
      },
    );

function judgeRoutes(
  bench: Bench,
  result: JsonRecord | undefined,
  cniVersion: string,
  plugin: PluginName,
): void {
  const old = (result?.ip4 ?? {}) as JsonRecord;
  const routes = (cniVersion < "0.3.0" ? old.routes : result?.routes) as readonly JsonRecord[] | undefined;
  const [first, second = {}] = routes ?? [];
  bench.is(`${cniVersion}: first route`, first, ROUTES[0]);
  const { gw: _, ...rest } = second;
  bench.is(
    `${cniVersion}: second route`,
    rest,
    cniVersion >= "0.3.0" ? ROUTES[1] : { dst: "198.51.100.0/24" },
  );
  // The network's dns is bridge's business.
  if (plugin === "bridge") bench.is(`${cniVersion}: dns`, result?.dns, DNS);
}

spec("A21, A22: results of every version (loopback)", async (bench) => {
  for (const cniVersion of VERSIONS) {
    const added = await bench.accepts("ADD", network({ cniVersion }), {
      plugin: "loopback",
      how: cniVersion,
    });
    const text = JSON.stringify(added.document ?? {});
    bench.holds(
      `${cniVersion}: has 127.0.0.1 and ::1`,
      /"127\.0\.0\.1\/8"/.test(text) && /"::1\/128"/.test(text),
      text,
    );
  }
});

spec("A21: no address, 0.3.0 and later (bridge)", async (bench) => {
  for (const cniVersion of VERSIONS.slice(2)) {
    const answer = await bench.accepts("ADD", layer2({ cniVersion }), { how: cniVersion });
    bench.is(`${cniVersion}: ips`, "ips" in (answer.document ?? {}), false);
    await bench.accepts("DEL", layer2({ cniVersion }), { how: cniVersion });
  }
});

for (const cniVersion of VERSIONS.slice(0, 2))
  spec(
    `A21: no address, ${cniVersion}: cannot convert, and nothing is changed (bridge)`,
    { still: true },
    async (bench) => {
      await bench.refuses(
        { code: 999, says: /cannot convert.*no valid IP addresses/ },
        "ADD",
        layer2({ cniVersion }),
      );
    },
  );

spec("A21, A22: the interfaces of a result are what ip shows (bridge)", async (bench) => {
  const added = await bench.accepts(
    "ADD",
    network({ mtu: 1400, runtimeConfig: { mac: "02:00:5e:00:00:07" } }),
  );
  const [host, container] = [await bench.links(), await bench.links("c1")];
  const interfaces = (added.document?.interfaces ?? []) as JsonRecord[];
  bench.is("number of interfaces", interfaces.length, 3);
  for (const { name, mac, mtu, sandbox } of interfaces) {
    const link = (sandbox === undefined ? host : container).get(String(name));
    bench.is(`${name}: mac and mtu`, { mac, mtu }, { mac: link?.address, mtu: link?.mtu });
  }
  bench.is(
    "sandboxes",
    interfaces.map(({ sandbox }) => sandbox ?? "host"),
    ["host", "host", "/run/netns/c1"],
  );
});

ofEach(["bridge", "loopback"], "A22: sandbox is CNI_NETNS as it was given", async (bench) => {
  for (const CNI_NETNS of ["/var/run/netns/c1", "/run/netns/../netns/c1", `${FILES}/link`]) {
    await bench.run(`ln -sf /run/netns/c1 ${FILES}/link`);
    const options = { label: `ADD in ${CNI_NETNS}`, env: { CNI_NETNS } };
    await bench.accepts("ADD", network(), options);
    await bench.accepts("DEL", network(), { label: `DEL in ${CNI_NETNS}`, env: { CNI_NETNS } });
  }
});

spec("A25: an IPAM result names no interface, prevResult or not (host-local)", async (bench) => {
  const prevResult = { cniVersion: "1.1.0", interfaces: [{ name: "eth9", mac: "02:00:5e:00:00:09" }] };
  const added = await bench.accepts("ADD", network({ prevResult }), { plugin: "host-local" });
  bench.is("keys", Object.keys(objectIn(added.stdout) ?? {}).sort(), ["cniVersion", "ips"]);
});
