/** The environment: rules A1–A8. */
import { BARE, layer2, netnsPath, network, ofEach, PLUGINS, spec, VALID } from "../case.ts";
import { HOST } from "../host.ts";

const ATTACHMENT = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"] as const;

/** In the order of their checks (A1). */
const REQUIRED = {
  ADD: ATTACHMENT,
  CHECK: ATTACHMENT,
  DEL: ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
  GC: ["CNI_PATH"],
  STATUS: ["CNI_PATH"],
} as const;

const COMMANDS = Object.entries(REQUIRED) as [keyof typeof REQUIRED, readonly string[]][];
const OF_ATTACHMENT = ["ADD", "CHECK", "DEL"] as const;
const GC_CONFIG = network({ [VALID]: [] });
const STILL = { still: true };

const missing = (names: readonly string[]) => `required env variables [${names.join(",")}] missing`;

const unset = (names: readonly string[], value?: string) =>
  Object.fromEntries(names.map((name) => [name, value]));

const MISSING = ofEach(PLUGINS, "A1: a variable missing", STILL, async (bench, plugin) => {
  for (const [command, required] of COMMANDS) {
    for (const name of required) {
      for (const [how, value] of [
        ["unset", undefined],
        ["empty", ""],
      ] as const) {
        const options = { plugin, label: `${command}, ${name} ${how}`, env: { [name]: value } };
        bench.refused(await bench.call(command, network(), options), { code: 4, says: missing([name]) });
      }
    }
  }
});

const ALL_MISSING = ofEach(
  PLUGINS,
  "A1: all missing names in one error, in order",
  STILL,
  async (bench, plugin) => {
    for (const [command, required] of COMMANDS) {
      const options = { plugin, label: `${command}, nothing set`, env: unset(ATTACHMENT) };
      bench.refused(await bench.call(command, network(), options), { code: 4, says: missing(required) });
    }
    const two = { plugin, label: "ADD, two missing", env: unset(["CNI_PATH", "CNI_NETNS"], "") };
    bench.refused(await bench.call("ADD", network(), two), {
      code: 4,
      says: missing(["CNI_NETNS", "CNI_PATH"]),
    });
  },
);

const FIRST = ofEach(
  PLUGINS,
  "A1: the environment is judged before stdin, invalid before missing",
  STILL,
  async (bench, plugin) => {
    for (const command of OF_ATTACHMENT) {
      const noStdin = { plugin, label: `${command}, no JSON on stdin`, env: { CNI_IFNAME: "" } };
      bench.refused(await bench.call(command, "nonsense", noStdin), {
        code: 4,
        says: missing(["CNI_IFNAME"]),
      });
      const badId = {
        plugin,
        label: `${command}, id invalid, path missing`,
        env: { CNI_CONTAINERID: "a/b", CNI_PATH: "" },
      };
      bench.refused(await bench.call(command, network(), badId), {
        code: 4,
        says: "invalid characters in containerID",
      });
      const badName = {
        plugin,
        label: `${command}, name invalid, id missing`,
        env: { CNI_CONTAINERID: "", CNI_IFNAME: "a/b" },
      };
      bench.refused(await bench.call(command, network(), badName), { code: 4, says: /^(?!.*required env)/ });
      const both = {
        plugin,
        label: `${command}, id and name invalid`,
        env: { CNI_CONTAINERID: "/", CNI_IFNAME: "/" },
      };
      bench.refused(await bench.call(command, network(), both), {
        code: 4,
        says: "invalid characters in containerID",
      });
    }
  },
);

const NOT_REQUIRED = ofEach(
  PLUGINS,
  "A2: what a command does not need is not judged",
  STILL,
  async (bench, plugin) => {
    const strange = { CNI_CONTAINERID: "/", CNI_NETNS: "/nowhere", CNI_IFNAME: "a b", CNI_ARGS: "=" };
    for (const command of ["GC", "STATUS"]) {
      const sets = {
        unset: { ...BARE, CNI_ARGS: undefined },
        empty: unset([...Object.keys(BARE), "CNI_ARGS"], ""),
        invalid: strange,
      };
      for (const [how, env] of Object.entries(sets))
        bench.accepted(await bench.call(command, GC_CONFIG, { plugin, label: `${command}, ${how}`, env }));
    }
    for (const env of [unset(ATTACHMENT), { ...strange, CNI_PATH: "" }])
      bench.accepted(await bench.call("VERSION", "", { plugin, env }));
    for (const CNI_NETNS of [undefined, ""])
      bench.accepted(await bench.call("DEL", network(), { plugin, env: { CNI_NETNS } }));
  },
);

const IDS = {
  good: ["a", "7", "A0_.-", "a..b", "x".repeat(200)],
  bad: ["a/b", "/", "-a", ".a", "_a", "a b", " a", "a\n", "ä", "a:b", "a;b", "..", "a\u00a0"],
};

const NAMES = {
  good: ["eth0", "a", "abcdefghijklmno", "ä", "eth0.5", "-", "...", "a;b"],
  bad: [
    "abcdefghijklmnop",
    "ääääääää",
    ".",
    "..",
    "a/b",
    "eth0:1",
    "a b",
    " ",
    "a\tb",
    "a\n",
    "a\u2003b",
    "a\u0085b",
    "a\u00a0b",
  ],
};

const ID = ofEach(PLUGINS, "A3: container id", STILL, async (bench, plugin) => {
  for (const id of IDS.bad) {
    for (const command of OF_ATTACHMENT) {
      const answer = await bench.call(command, network(), {
        plugin,
        id,
        label: `${command} of ${JSON.stringify(id)}`,
      });
      bench.refused(answer, { code: 4, says: "invalid characters in containerID", details: id });
    }
  }
  for (const id of IDS.good)
    bench.accepted(await bench.call("DEL", network(), { plugin, id, label: `DEL of ${JSON.stringify(id)}` }));
});

const IFNAME = ofEach(PLUGINS, "A4: interface name", STILL, async (bench, plugin) => {
  for (const ifname of NAMES.bad) {
    for (const command of OF_ATTACHMENT) {
      const label = `${command} of ${JSON.stringify(ifname)}`;
      bench.refused(await bench.call(command, network(), { plugin, ifname, label }), { code: 4 });
    }
  }
  // loopback's DEL sets lo down, which is down here.
  for (const ifname of NAMES.good)
    bench.accepted(
      await bench.call("DEL", network(), { plugin, ifname, label: `DEL of ${JSON.stringify(ifname)}` }),
    );
});

const ABOUT = ofEach(PLUGINS, "A5: without a command it says what it is", STILL, async (bench, plugin) => {
  const words = new RegExp(
    `^CNI ${plugin} plugin v\\d+\\.\\d+\\.\\d+\\S*\\nCNI protocol versions supported: 0\\.1\\.0, 0\\.2\\.0, 0\\.3\\.0, 0\\.3\\.1, 0\\.4\\.0, 1\\.0\\.0, 1\\.1\\.0\\n$`,
  );
  const environments = {
    "nothing set": unset(ATTACHMENT),
    "as runtimes call": {},
    "invalid values": { CNI_CONTAINERID: "/", CNI_IFNAME: "/" },
  };
  for (const [how, env] of Object.entries(environments)) {
    for (const command of [undefined, ""]) {
      const label = `${command === undefined ? "no" : "empty"} command, ${how}`;
      const answer = await bench.callWith("silent", command, { plugin, label, env });
      bench.accepted(answer);
      bench.holds(
        `${label}: stderr is two lines: name and version, protocol versions`,
        words.test(answer.stderr),
        answer.stderr,
      );
    }
  }
});

const UNKNOWN = ofEach(PLUGINS, "A6: an unknown command", STILL, async (bench, plugin) => {
  for (const command of ["FROB", "add", " ADD", "ADD ", "VERSION2", "UPDATE"]) {
    const says = `unknown CNI_COMMAND: ${command}`;
    const bare = { plugin, label: `${JSON.stringify(command)}, no variables`, env: unset(ATTACHMENT) };
    bench.refused(await bench.call(command, network(), bare), { code: 4, says });
    const all = { plugin, label: `${JSON.stringify(command)}, all variables` };
    bench.refused(await bench.call(command, network(), all), { code: 4, says });
  }
  const first = (label: string) => ({ plugin, label: `stdin first: ${label}` });
  bench.refused(await bench.call("FROB", "", first("empty")), { code: 6 });
  bench.refused(await bench.call("FROB", "nonsense", first("no JSON")), { code: 6 });
  bench.refused(await bench.call("FROB", { cniVersion: "1.1.0" }, first("no name")), {
    code: 7,
    says: "missing network name",
  });
  bench.refused(await bench.call("FROB", network({ name: "a/b" }), first("bad name")), { code: 7 });
  bench.refused(await bench.callWith("folder", "FROB", first("unreadable")), { code: 5 });
});

const NO_WAIT = ofEach(PLUGINS, "A7: VERSION does not wait for stdin", STILL, async (bench, plugin) => {
  for (const input of ["silent", "terminal", "closed", "folder"] as const)
    bench.accepted(await bench.callWith(input, "VERSION", { plugin, label: `VERSION, stdin ${input}` }));
});

const OWN_PATHS = { "by name": netnsPath(HOST), "by /proc": "/proc/self/ns/net" };

const OWN = ofEach(PLUGINS, "A8: the plugin's own namespace", STILL, async (bench, plugin) => {
  for (const command of ["ADD", "DEL"]) {
    for (const [how, CNI_NETNS] of Object.entries(OWN_PATHS)) {
      for (const CNI_NETNS_OVERRIDE of [undefined, "", "0", "yes", "false"]) {
        const label = `${command} ${how}, override ${CNI_NETNS_OVERRIDE}`;
        const before = await bench.state();
        const answer = await bench.call(command, network(), {
          plugin,
          label,
          env: { CNI_NETNS, CNI_NETNS_OVERRIDE },
        });
        bench.refused(answer, {
          code: 8,
          says: "plugin's netns and netns from CNI_NETNS should not be the same",
        });
        await bench.unchanged(label, before);
      }
    }
  }
});

const PERMITTED = ofEach(PLUGINS, "A8: the plugin's own namespace, permitted", {}, async (bench, plugin) => {
  for (const CNI_NETNS_OVERRIDE of ["1", "TRUE", "true", "True"]) {
    const env = { CNI_NETNS: netnsPath(HOST), CNI_NETNS_OVERRIDE };
    for (const command of ["ADD", "DEL"]) {
      const label = `${command}, override ${CNI_NETNS_OVERRIDE}`;
      bench.accepted(await bench.call(command, network(), { plugin, label, env }));
      const isThere = (await bench.links()).has("eth0");
      if (plugin === "bridge") bench.is(`${label}: eth0 is there`, isThere, command === "ADD");
    }
  }
});

const OWN_CHECK = spec("A8: CHECK is not concerned", {}, async (bench) => {
  const env = { CNI_NETNS: netnsPath(HOST), CNI_NETNS_OVERRIDE: "1" };
  const added = await bench.call("ADD", layer2(), { env });
  bench.accepted(added);
  bench.accepted(await bench.call("ADD", network(), { plugin: "host-local", env }));
  bench.accepted(
    await bench.call("CHECK", network(), { plugin: "host-local", env: { CNI_NETNS: netnsPath(HOST) } }),
  );
  bench.accepted(
    await bench.call("CHECK", network(), { plugin: "loopback", env: { CNI_NETNS: netnsPath(HOST) } }),
  );
});

export const ENVIRONMENT = [
  ...MISSING,
  ...ALL_MISSING,
  ...FIRST,
  ...NOT_REQUIRED,
  ...ID,
  ...IFNAME,
  ...ABOUT,
  ...UNKNOWN,
  ...NO_WAIT,
  ...OWN,
  ...PERMITTED,
  OWN_CHECK,
];
