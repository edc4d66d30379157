/** STATUS: rules A35 and A36. */
import { hostLocal, type JsonRecord, layer2, network, PLUGINS } from "../../engine/network.ts";
import { bare, ofEach, spec } from "../case.ts";
import { callsOf, fakeNetwork } from "../fake-ipam.ts";

ofEach(PLUGINS, "A35: STATUS of what is ready", { still: true }, async (bench, plugin) => {
  const configs = { plain: network(), masquerade: network({ ipMasq: true }), "layer 2": layer2() };
  for (const [what, config] of Object.entries(configs))
    if (plugin !== "host-local" || config.ipam !== undefined)
      await bench.accepts("STATUS", config, { ...bare(`STATUS, ${what}`) });
});

const SMALL = network({ ipam: hostLocal(["10.10.0.0/29"]) });

const STRICT = network({ ipam: { ...hostLocal(["10.10.0.0/29"]), statusReportsExhaustion: true } });

ofEach(
  ["bridge", "host-local"],
  "A35: STATUS when addresses are exhausted is no failure, unless it is asked for",
  async (bench) => {
    for (const id of ["a", "b", "c", "d", "e"]) {
      await bench.accepts("STATUS", SMALL, bare(`STATUS before ${id}`));
      await bench.accepts("ADD", SMALL, { plugin: "host-local", id, label: `ADD of ${id}` });
    }
    await bench.accepts("STATUS", SMALL, bare("STATUS, exhausted"));
    await bench.refuses({ code: [50, 51] }, "STATUS", STRICT, bare("STATUS, strict"));
    await bench.accepts("DEL", SMALL, { plugin: "host-local", id: "c" });
    await bench.accepts("STATUS", STRICT, bare("STATUS, one free again"));
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
    script: "mkdir -p /var/lib/cni/networks; echo > /var/lib/cni/networks/net",
  },
  "there is no iptables to masquerade with": {
    config: network({ ipMasq: true, ipMasqBackend: "iptables" }),
    through: NO_FIREWALL,
  },
};

for (const [what, { script, config = network(), ...rest }] of Object.entries(OBSTACLES))
  spec(`A35: STATUS when ${what} (bridge)`, async (bench) => {
    if (script !== undefined) await bench.run(script);
    await bench.refuses({ code: [50, 51] }, "STATUS", config, { ...bare("STATUS"), ...rest });
  });

spec("A36: STATUS runs the delegate's; its error becomes ours (bridge)", { still: true }, async (bench) => {
  const ready = fakeNetwork(bench, "fake");
  await bench.accepts("STATUS", ready, bare("STATUS, ready"));
  bench.is("calls of the IPAM", callsOf("fake"), ["STATUS"]);
  for (const code of [50, 51, 11, 999, 117]) {
    const STATUS = `echo '{"cniVersion":"1.1.0","code":${code},"msg":"the pool is away","details":"of nobody"}'; exit 1`;
    const config = fakeNetwork(bench, "fake", { STATUS });
    await bench.refuses(
      { code, says: /the pool is away.*of nobody/ },
      "STATUS",
      config,
      bare(`STATUS, ${code}`),
    );
  }
  await bench.refuses(
    { code: [7, 50, 999], says: 'failed to find plugin "nobody"' },
    "STATUS",
    network({ ipam: { type: "nobody" } }),
    bare("STATUS, no such IPAM"),
  );
});

/** Scripts, by what they answer to a command that is younger than they are. */
const OLD_IPAMS: Readonly<Record<string, (command: string) => string>> = {
  "an error object": (command) =>
    `echo '{"cniVersion":"1.0.0","code":4,"msg":"unknown CNI_COMMAND: ${command}"}'; exit 1`,
  words: (command) => `echo 'Unknown cni command: ${command}' >&2; exit 1`,
};

spec(
  "A36, A38: STATUS and GC of an IPAM that does not know them are no failure (bridge)",
  { still: true },
  async (bench) => {
    for (const [how, script] of Object.entries(OLD_IPAMS)) {
      const config = fakeNetwork(bench, "fake", { STATUS: script("STATUS"), GC: script("GC") });
      for (const [command, keys] of [
        ["STATUS", {}],
        ["GC", { "cni.dev/valid-attachments": [] }],
      ] as const)
        await bench.accepts(command, { ...config, ...keys }, bare(`${command}, ${how}`));
    }
  },
);
