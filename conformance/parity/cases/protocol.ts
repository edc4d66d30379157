/** The environment and the common part of the configuration, for each plugin and command. */
import { call, change, stepsCase } from "../../engine/case.ts";
import { ALL_PLUGINS, FILES, IPV4, type JsonRecord, layer2, type PluginName } from "../../engine/network.ts";

const CONFIG = layer2({ isGateway: true, ipam: IPV4 });
const COMMANDS = ["ADD", "CHECK", "DEL", "GC", "STATUS"] as const;

type Env = Record<string, string | undefined>;

const MISSING: Readonly<Record<string, Env>> = {
  "no id": { CNI_CONTAINERID: undefined },
  "no netns": { CNI_NETNS: undefined },
  "no ifname": { CNI_IFNAME: undefined },
  "no path": { CNI_PATH: undefined },
  "empty id": { CNI_CONTAINERID: "" },
  "empty netns": { CNI_NETNS: "" },
  "empty ifname": { CNI_IFNAME: "" },
  "empty path": { CNI_PATH: "" },
  nothing: { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined, CNI_PATH: undefined },
  "no id, wrong ifname": { CNI_CONTAINERID: undefined, CNI_IFNAME: "a/b" },
};

const WRONG: Readonly<Record<string, Env>> = {
  "id with /": { CNI_CONTAINERID: "a/b" },
  "id with blank": { CNI_CONTAINERID: "a b" },
  "id starts with -": { CNI_CONTAINERID: "-a" },
  "id starts with .": { CNI_CONTAINERID: ".a" },
  "id with newline": { CNI_CONTAINERID: "a\n" },
  "id not ASCII": { CNI_CONTAINERID: "ä" },
  "ifname of 16 bytes": { CNI_IFNAME: "abcdefghijklmnop" },
  "ifname .": { CNI_IFNAME: "." },
  "ifname ..": { CNI_IFNAME: ".." },
  "ifname with /": { CNI_IFNAME: "a/b" },
  "ifname with :": { CNI_IFNAME: "eth0:1" },
  "ifname with blank": { CNI_IFNAME: "a b" },
  "ifname with tab": { CNI_IFNAME: "a\tb" },
  "ifname with a wide blank": { CNI_IFNAME: "a\u2003b" },
  "ifname with a next-line": { CNI_IFNAME: "a\u0085b" },
  "wrong id and ifname": { CNI_CONTAINERID: "/", CNI_IFNAME: "/" },
};

const BAD_STDIN: Readonly<Record<string, string | JsonRecord>> = {
  empty: "",
  blank: " \n",
  "cut off": '{"cniVersion":"1.1.0","name":',
  "not JSON": "hello",
  "an array": "[]",
  "a number": "7",
  null: "null",
  "two documents": '{"cniVersion":"1.1.0","name":"a"} {}',
  "trailing comma": '{"cniVersion":"1.1.0","name":"a",}',
  "byte order mark": '\ufeff{"cniVersion":"1.1.0","name":"a"}',
  "no name": { cniVersion: "1.1.0", type: "bridge" },
  "empty name": { cniVersion: "1.1.0", name: "" },
  "null name": { cniVersion: "1.1.0", name: null },
  "name is a number": { cniVersion: "1.1.0", name: 7 },
  "name with /": { cniVersion: "1.1.0", name: "a/b" },
  "name ..": { cniVersion: "1.1.0", name: ".." },
  "name with blank": { cniVersion: "1.1.0", name: "a b" },
  "version is a number": { cniVersion: 1, name: "net" },
  "version unknown": { cniVersion: "1.2.0", name: "net" },
  "version of the future": { cniVersion: "2.0.0", name: "net" },
  "version of the past": { cniVersion: "0.0.1", name: "net" },
  "version short": { cniVersion: "1.1", name: "net" },
  "version long": { cniVersion: "1.1.0.0", name: "net" },
  "version no version": { cniVersion: "abc", name: "net" },
  "version with v": { cniVersion: "v1.1.0", name: "net" },
  "version with zeros": { cniVersion: "01.1.0", name: "net" },
};

const each = (table: Readonly<Record<string, Env>>, plugin: PluginName, command: string) =>
  Object.entries(table).map(([label, env]) => call(command, CONFIG, { plugin, label, env }));

const LAST = { stateAfter: "last" } as const;

const netns = (name: string, CNI_NETNS: string, more: Env = {}) =>
  stepsCase(`CNI_NETNS: ${name}`, [
    change(
      "files",
      `echo > ${FILES}/plain; mkdir ${FILES}/folder; ln -s /run/netns/c1 ${FILES}/link; ln -s nowhere ${FILES}/dangling`,
    ),
    ...(["bridge", "loopback"] as const).flatMap((plugin) =>
      ["ADD", "CHECK", "DEL"].map((command) =>
        call(command, CONFIG, { plugin, label: `${plugin} ${command}`, env: { CNI_NETNS, ...more } }),
      ),
    ),
  ]);

export const PROTOCOL = [
  ...ALL_PLUGINS.flatMap((plugin) =>
    COMMANDS.flatMap((command) => [
      stepsCase(`missing variables: ${plugin} ${command}`, each(MISSING, plugin, command), LAST),
      stepsCase(
        `configurations that are none: ${plugin} ${command}`,
        Object.entries(BAD_STDIN).map(([label, stdin]) => call(command, stdin, { plugin, label })),
        LAST,
      ),
    ]),
  ),
  ...(["ADD", "DEL", "GC"] as const).map((command) =>
    stepsCase(`wrong variables: bridge ${command}`, each(WRONG, "bridge", command), LAST),
  ),
  ...(["host-local", "loopback"] as const).map((plugin) =>
    stepsCase(`wrong variables: ${plugin} ADD`, each(WRONG, plugin, "ADD"), LAST),
  ),

  netns("does not exist", "/run/netns/never"),
  netns("a plain file", `${FILES}/plain`),
  netns("a folder", `${FILES}/folder`),
  netns("a link to a namespace", `${FILES}/link`),
  netns("a dangling link", `${FILES}/dangling`),
  netns("a device", "/dev/null"),
  netns("not a path", "c1"),
  netns("another kind of namespace", "/proc/self/ns/uts"),
  netns("a file of /proc", "/proc/version"),
  netns("the plugin's own", "/run/netns/host"),
  netns("the plugin's own, permitted", "/run/netns/host", { CNI_NETNS_OVERRIDE: "true" }),
  netns("the plugin's own, permitted with 1", "/proc/self/ns/net", { CNI_NETNS_OVERRIDE: "1" }),
  netns("the plugin's own, not permitted with yes", "/proc/self/ns/net", { CNI_NETNS_OVERRIDE: "yes" }),
];
