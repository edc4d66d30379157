/** Which command, and in whose namespace: rules A5–A8. */
import { HOST } from "../../engine/host.ts";
import { layer2, netnsPath, network, PLUGINS } from "../../engine/network.ts";
import { ofEach, spec } from "../case.ts";

const STILL = { still: true };
const ATTACHMENT = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"] as const;
const NOTHING = Object.fromEntries(ATTACHMENT.map((name) => [name, undefined]));

ofEach(PLUGINS, "A5: without a command it says what it is", STILL, async (bench, plugin) => {
  const words = new RegExp(
    `^CNI ${plugin} plugin v\\d+\\.\\d+\\.\\d+\\S*\\nCNI protocol versions supported: 0\\.1\\.0, 0\\.2\\.0, 0\\.3\\.0, 0\\.3\\.1, 0\\.4\\.0, 1\\.0\\.0, 1\\.1\\.0\\n$`,
  );
  const environments = {
    "nothing set": NOTHING,
    "as runtimes call": {},
    "invalid values": { CNI_CONTAINERID: "/", CNI_IFNAME: "/" },
  };
  for (const [how, env] of Object.entries(environments)) {
    for (const command of [undefined, ""]) {
      const label = `${command === undefined ? "no" : "empty"} command, ${how}`;
      const answer = await bench.callWith("silent", command, { label, env });
      bench.accepted(answer);
      bench.holds(
        `${label}: stderr is two lines: name and version, protocol versions`,
        words.test(answer.stderr),
        answer.stderr,
      );
    }
  }
});

ofEach(PLUGINS, "A6: an unknown command", STILL, async (bench) => {
  for (const command of ["FROB", "add", " ADD", "ADD ", "VERSION2", "UPDATE"]) {
    const says = `unknown CNI_COMMAND: ${command}`;
    const bare = { label: `${JSON.stringify(command)}, no variables`, env: NOTHING };
    await bench.refuses({ code: 4, says }, command, network(), bare);
    const all = { label: `${JSON.stringify(command)}, all variables` };
    await bench.refuses({ code: 4, says }, command, network(), all);
  }
  const first = (label: string) => ({ label: `stdin first: ${label}` });
  await bench.refuses({ code: 6 }, "FROB", "", first("empty"));
  await bench.refuses({ code: 6 }, "FROB", "nonsense", first("no JSON"));
  await bench.refuses(
    { code: 7, says: "missing network name" },
    "FROB",
    { cniVersion: "1.1.0" },
    first("no name"),
  );
  await bench.refuses({ code: 7 }, "FROB", network({ name: "a/b" }), first("bad name"));
  bench.refused(await bench.callWith("folder", "FROB", first("unreadable")), { code: 5 });
});

ofEach(PLUGINS, "A7: VERSION does not wait for stdin", STILL, async (bench) => {
  for (const input of ["silent", "terminal", "closed", "folder"] as const)
    bench.accepted(await bench.callWith(input, "VERSION", { how: `stdin ${input}` }));
});

const OWN_PATHS = { "by name": netnsPath(HOST), "by /proc": "/proc/self/ns/net" };

ofEach(PLUGINS, "A8: the plugin's own namespace", STILL, async (bench) => {
  for (const command of ["ADD", "DEL"]) {
    for (const [how, CNI_NETNS] of Object.entries(OWN_PATHS)) {
      for (const CNI_NETNS_OVERRIDE of [undefined, "", "0", "yes", "false"]) {
        const label = `${command} ${how}, override ${CNI_NETNS_OVERRIDE}`;
        const before = await bench.state();
        await bench.refuses(
          { code: 8, says: "plugin's netns and netns from CNI_NETNS should not be the same" },
          command,
          network(),
          { label, env: { CNI_NETNS, CNI_NETNS_OVERRIDE } },
        );
        await bench.unchanged(label, before);
      }
    }
  }
});

ofEach(PLUGINS, "A8: the plugin's own namespace, permitted", async (bench, plugin) => {
  for (const CNI_NETNS_OVERRIDE of ["1", "TRUE", "true", "True"]) {
    const env = { CNI_NETNS: netnsPath(HOST), CNI_NETNS_OVERRIDE };
    for (const command of ["ADD", "DEL"]) {
      const label = `${command}, override ${CNI_NETNS_OVERRIDE}`;
      await bench.accepts(command, network(), { label, env });
      const isThere = (await bench.links()).has("eth0");
      if (plugin === "bridge") bench.is(`${label}: eth0 is there`, isThere, command === "ADD");
    }
  }
});

spec("A8: CHECK is not concerned", async (bench) => {
  const env = { CNI_NETNS: netnsPath(HOST), CNI_NETNS_OVERRIDE: "1" };
  await bench.accepts("ADD", layer2(), { env });
  await bench.accepts("ADD", network(), { plugin: "host-local", env });
  await bench.accepts("CHECK", network(), { plugin: "host-local", env: { CNI_NETNS: netnsPath(HOST) } });
  await bench.accepts("CHECK", network(), { plugin: "loopback", env: { CNI_NETNS: netnsPath(HOST) } });
});
