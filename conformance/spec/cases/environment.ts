/** The environment: rules A1–A4. */
import { BARE, network, PLUGINS, VALID } from "../../engine/network.ts";
import { ofEach } from "../case.ts";

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

ofEach(PLUGINS, "A1: a variable missing", STILL, async (bench) => {
  for (const [command, required] of COMMANDS) {
    for (const name of required) {
      for (const [how, value] of Object.entries({ unset: undefined, empty: "" })) {
        const options = { how: `${name} ${how}`, env: { [name]: value } };
        await bench.refuses({ code: 4, says: missing([name]) }, command, network(), options);
      }
    }
  }
});

ofEach(PLUGINS, "A1: all missing names in one error, in order", STILL, async (bench) => {
  for (const [command, required] of COMMANDS) {
    const options = { how: "nothing set", env: unset(ATTACHMENT) };
    await bench.refuses({ code: 4, says: missing(required) }, command, network(), options);
  }
  const two = { how: "two missing", env: unset(["CNI_PATH", "CNI_NETNS"], "") };
  await bench.refuses({ code: 4, says: missing(["CNI_NETNS", "CNI_PATH"]) }, "ADD", network(), two);
});

/** Two things are wrong: which of them is told. */
const ORDER: readonly (readonly [
  how: string,
  env: Readonly<Record<string, string>>,
  says: string | RegExp,
])[] = [
  ["no JSON on stdin", { CNI_IFNAME: "" }, missing(["CNI_IFNAME"])],
  ["id invalid, path missing", { CNI_CONTAINERID: "a/b", CNI_PATH: "" }, "invalid characters in containerID"],
  ["name invalid, id missing", { CNI_CONTAINERID: "", CNI_IFNAME: "a/b" }, /^(?!.*required env)/],
  ["id and name invalid", { CNI_CONTAINERID: "/", CNI_IFNAME: "/" }, "invalid characters in containerID"],
];

ofEach(
  PLUGINS,
  "A1: the environment is judged before stdin, invalid before missing",
  STILL,
  async (bench) => {
    for (const command of OF_ATTACHMENT)
      for (const [how, env, says] of ORDER) {
        const stdin = how.includes("stdin") ? "nonsense" : network();
        await bench.refuses({ code: 4, says }, command, stdin, { how, env });
      }
  },
);

ofEach(PLUGINS, "A2: what a command does not need is not judged", STILL, async (bench) => {
  const strange = { CNI_CONTAINERID: "/", CNI_NETNS: "/nowhere", CNI_IFNAME: "a b", CNI_ARGS: "=" };
  for (const command of ["GC", "STATUS"]) {
    const sets = {
      unset: { ...BARE, CNI_ARGS: undefined },
      empty: unset([...Object.keys(BARE), "CNI_ARGS"], ""),
      invalid: strange,
    };
    for (const [how, env] of Object.entries(sets)) await bench.accepts(command, GC_CONFIG, { how, env });
  }
  for (const env of [unset(ATTACHMENT), { ...strange, CNI_PATH: "" }])
    await bench.accepts("VERSION", "", { env });
  for (const CNI_NETNS of [undefined, ""]) await bench.accepts("DEL", network(), { env: { CNI_NETNS } });
});

const IDS = {
  good: ["a", "7", "A0_.-", "a..b", "x".repeat(200)],
  bad: ["a/b", "/", "-a", ".a", "_a", "a b", " a", "a\n", "ä", "a:b", "a;b", "..", "a\u00a0"],
};

const NAMES = {
  good: ["eth0", "a", "abcdefghijklmno", "ä", "eth0.5", "-", "...", "a;b"],
  bad: [
    ...["abcdefghijklmnop", "ääääääää", ".", "..", "a/b", "eth0:1", "a b", " ", "a\tb", "a\n"],
    ...["a\u2003b", "a\u0085b", "a\u00a0b"],
  ],
};

ofEach(PLUGINS, "A3: container id", STILL, async (bench) => {
  for (const id of IDS.bad) {
    for (const command of OF_ATTACHMENT) {
      await bench.refuses(
        { code: 4, says: "invalid characters in containerID", details: id },
        command,
        network(),
        { id, label: `${command} of ${JSON.stringify(id)}` },
      );
    }
  }
  for (const id of IDS.good)
    await bench.accepts("DEL", network(), { id, label: `DEL of ${JSON.stringify(id)}` });
});

ofEach(PLUGINS, "A4: interface name", STILL, async (bench) => {
  for (const ifname of NAMES.bad) {
    for (const command of OF_ATTACHMENT) {
      const label = `${command} of ${JSON.stringify(ifname)}`;
      await bench.refuses({ code: 4 }, command, network(), { ifname, label });
    }
  }
  // loopback's DEL sets lo down, which is down here.
  for (const ifname of NAMES.good)
    await bench.accepts("DEL", network(), { ifname, label: `DEL of ${JSON.stringify(ifname)}` });
});
