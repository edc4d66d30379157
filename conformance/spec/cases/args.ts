/** CNI_ARGS: rules A50–A52. */
import type { Bench } from "../../engine/bench.ts";
import { type JsonRecord, layer2, network, PLUGINS, type PluginName } from "../../engine/network.ts";
import { ofEach, spec } from "../case.ts";

const MAC = "02:00:5e:00:00:0a";
const OTHER_MAC = "02:00:5e:00:00:0b";

/** ADD with these CNI_ARGS, then DEL with the same. */
async function life(bench: Bench, plugin: PluginName, CNI_ARGS: string, config: JsonRecord = network()) {
  const label = (command: string) => `${command}, ${JSON.stringify(CNI_ARGS)}`;
  const env = { CNI_ARGS };
  const added = await bench.accepts("ADD", config, { plugin, env, label: label("ADD") });
  const link = plugin === "bridge" ? (await bench.links("c1")).get("eth0") : undefined;
  await bench.accepts("DEL", config, { plugin, env, label: label("DEL") });
  return {
    ips: ((added.document?.ips ?? []) as JsonRecord[]).map(({ address }) => address),
    mac: link?.address,
  };
}

const GOOD = [
  "",
  "IgnoreUnknown=1",
  "IgnoreUnknown=true;A=b",
  "IgnoreUnknown=1;A=;B=c",
  "A=b;IgnoreUnknown=true",
  "IgnoreUnknown=1;IP=10.10.0.50",
];
const BAD = [
  "IP",
  "IP=10.10.0.50=1",
  ";",
  "IP=10.10.0.50;",
  ";IP=10.10.0.50",
  "IgnoreUnknown=1;;A=b",
  "IgnoreUnknown=1;A",
  "IgnoreUnknown=1;A=b=c",
];

ofEach(["bridge", "host-local"], "A50: pairs of a key and a value", async (bench, plugin) => {
  for (const args of GOOD) await life(bench, plugin, args);
});

ofEach(["bridge", "host-local"], "A50: what is no pair", { still: true }, async (bench) => {
  for (const args of BAD) {
    await bench.refuses({ code: [4, 7] }, "ADD", network(), {
      label: JSON.stringify(args),
      env: { CNI_ARGS: args },
    });
  }
});

ofEach(["bridge", "host-local"], "A50: keys are case-sensitive", { still: true }, async (bench) => {
  for (const args of ["ip=10.10.0.50", `mac=${MAC}`, "ignoreunknown=1;A=b", "IGNOREUNKNOWN=1"]) {
    await bench.refuses({ code: [4, 7], says: args.split(";")[0] ?? "" }, "ADD", network(), {
      label: args,
      env: { CNI_ARGS: args },
    });
  }
});

ofEach(["bridge", "host-local"], "A51: unknown keys", { still: true }, async (bench) => {
  for (const args of ["K8S_POD_NAME=web-0", "A=b;B=c", "IgnoreUnknown=0;A=b", "IgnoreUnknown=false;A=b"]) {
    await bench.refuses({ code: [4, 7], says: /unknown args/ }, "ADD", network(), {
      label: args,
      env: { CNI_ARGS: args },
    });
  }
});

const KUBERNETES =
  "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=1-2";

ofEach(PLUGINS, "A51: unknown keys beside IgnoreUnknown, as containerd sends them", async (bench, plugin) => {
  for (const args of [KUBERNETES, KUBERNETES.replace("=1;", "=true;")]) await life(bench, plugin, args);
});

spec("A51: IP and MAC reach both plugins (bridge)", async (bench) => {
  bench.is("IP", (await life(bench, "bridge", "IP=10.10.0.50")).ips, ["10.10.0.50/24"]);
  bench.is("MAC", (await life(bench, "bridge", `MAC=${MAC}`)).mac, MAC);
  const both = await life(bench, "bridge", `IP=10.10.0.51;MAC=${MAC}`);
  bench.is("both", both, { ips: ["10.10.0.51/24"], mac: MAC });
  const layer = await life(bench, "bridge", `MAC=${MAC}`, layer2());
  bench.is("MAC without IPAM", layer.mac, MAC);
});
spec("A51: MAC is bridge's (host-local)", async (bench) => {
  const both = await life(bench, "host-local", `IP=10.10.0.50;MAC=${MAC}`);
  bench.is("IP", both.ips, ["10.10.0.50/24"]);
  await life(bench, "host-local", `MAC=${MAC}`);
});

ofEach(["bridge", "host-local"], "A52: args.cni.ips beats IP", async (bench, plugin) => {
  const config = network({ args: { cni: { ips: ["10.10.0.60"] } } });
  bench.is("address", (await life(bench, plugin, "IgnoreUnknown=1;IP=10.10.0.50", config)).ips, [
    "10.10.0.60/24",
  ]);
});
spec("A52: args.cni.mac beats MAC (bridge)", async (bench) => {
  const config = network({ args: { cni: { mac: OTHER_MAC } } });
  bench.is("mac", (await life(bench, "bridge", `IgnoreUnknown=1;MAC=${MAC}`, config)).mac, OTHER_MAC);
});
