import {
  BARE,
  hostLocal,
  type JsonRecord,
  layer2,
  network,
  PLUGINS,
  VALID,
  VERSIONS,
} from "../../engine/network.ts";
import { ofEach, spec } from "../case.ts";

/** Calls that fail in different parts of a plugin. */
const FAILING: readonly (readonly [label: string, command: string, config: JsonRecord | string])[] = [
  ["no JSON", "ADD", "{"],
  ["no name", "ADD", { cniVersion: "1.1.0" }],
  ["unknown version", "ADD", network({ cniVersion: "7.0.0" })],
  ["GC of an old version", "GC", network({ cniVersion: "1.0.0" })],
  ["unknown command", "FROB", network()],
];

ofEach(
  PLUGINS,
  "A16, A17: failure: exit 1, one error object on stdout, nothing on stderr",
  { still: true },
  async (bench) => {
    for (const [label, command, config] of FAILING) {
      const answer = await bench.call(command, config, { label });
      bench.is(`${label}: exit code`, answer.exitCode, 1);
      bench.is(`${label}: stderr`, answer.stderr, "");
    }
    for (const cniVersion of VERSIONS) {
      const answer = await bench.refuses(
        { code: 7, details: "a/b" },
        "ADD",
        network({ cniVersion, name: "a/b" }),
        { how: cniVersion },
      );
      bench.is(`${cniVersion}: cniVersion of the error`, answer.error.cniVersion, cniVersion);
      const plain = await bench.call("ADD", { cniVersion }, { label: `ADD without details, ${cniVersion}` });
      bench.is(`${cniVersion}: an error without details has none`, "details" in plain.error, false);
    }
  },
);

ofEach(PLUGINS, "A16, A20: success: exit 0, a result of ADD on stdout, else nothing", async (bench) => {
  for (const cniVersion of VERSIONS) {
    const config = network({ cniVersion, [VALID]: [{ containerID: "id-c1", ifname: "eth0" }] });
    const how = cniVersion;
    const after = await bench.call("ADD", config, { how });
    const answers = [after];
    for (const command of ["CHECK", "GC", "STATUS", "DEL", "DEL"])
      if (command === "DEL" || cniVersion >= (command === "CHECK" ? "0.4.0" : "1.1.0"))
        answers.push(await bench.call(command, config, { how, after }));
    for (const answer of answers) {
      bench.accepted(answer);
      bench.is(`${answer.question.label}: stderr`, answer.stderr, "");
    }
  }
});

ofEach(PLUGINS, "A19: VERSION", { still: true }, async (bench) => {
  for (const config of ["", '{"cniVersion":"0.4.0"}', '{"cniVersion":"9.0.0"}', "nonsense"]) {
    const answer = await bench.accepts("VERSION", config, { how: `${config || "nothing"}` });
    bench.is("stderr", answer.stderr, "");
  }
  // As podman asks.
  const dummies = { CNI_NETNS: "dummy", CNI_IFNAME: "dummy", CNI_PATH: "dummy", CNI_CONTAINERID: undefined };
  await bench.accepts("VERSION", "", { how: "dummies", env: dummies });
});

const full = (ipam: JsonRecord = {}) => network({ ipam: hostLocal(["10.10.0.0/30"], ipam) });

spec("A18: codes by the kind of failure", { containers: ["c1", "c2", "c3"] }, async (bench) => {
  await bench.refuses({ code: 1 }, "ADD", network({ cniVersion: "7.0.0" }), { label: "version" });
  await bench.refuses({ code: 4 }, "ADD", network(), { label: "environment", env: { CNI_PATH: "" } });
  const resolvConf = { ipam: hostLocal(undefined, { resolvConf: "/nowhere" }) };
  await bench.refuses({ code: 5 }, "ADD", network(resolvConf), { label: "I/O", plugin: "host-local" });
  await bench.refuses({ code: 6 }, "ADD", "{", { label: "decoding" });
  await bench.refuses({ code: 7 }, "ADD", network({ vlan: 5000 }), { label: "configuration" });
  for (const plugin of ["bridge", "loopback"] as const) {
    const nowhere = { plugin, label: `namespace (${plugin})`, env: { CNI_NETNS: "/run/netns/nowhere" } };
    await bench.refuses({ code: 8 }, "ADD", network(), nowhere);
  }
  await bench.accepts("ADD", full(), { label: "the only address" });
  await bench.refuses({ code: 50 }, "STATUS", full({ statusReportsExhaustion: true }), {
    label: "not available",
    env: BARE,
  });
  await bench.refuses({ code: 999, says: "no IP addresses available in range set" }, "ADD", full(), {
    label: "no address left",
    container: "c2",
  });
  await bench.refuses({ code: 999 }, "ADD", layer2(), { label: "failure", id: "other" });
});

spec("A18: code 11, try again later: the lock of the leases is held (host-local)", async (bench) => {
  await bench.run("mkdir -p /var/lib/cni/networks/net");
  const holder = Bun.spawn(
    ["flock", "/var/lib/cni/networks/net/lock", "sh", "-c", "echo held; exec sleep 60"],
    { stdout: "pipe" },
  );
  try {
    await holder.stdout.getReader().read();
    await bench.refuses({ code: 11 }, "ADD", network(), { plugin: "host-local", limit: 30_000 });
  } finally {
    holder.kill("SIGKILL");
    await holder.exited;
  }
});
