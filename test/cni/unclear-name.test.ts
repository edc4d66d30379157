/** K11: the plugin is found by the file's name or by the configuration. */
import { describe, expect, test } from "bun:test";
import { pluginIn } from "../../src/cni/plugin-name.ts";
import { runByConfig } from "../../src/cni/unclear-name.ts";
import { endlessTime } from "../support/call-time.ts";
import { type Answer, bytes, configOf, environmentOf, FakePlugin, noDelegation } from "./fake-host.ts";

const fakePlugins = () => [
  new FakePlugin({}, "bridge"),
  new FakePlugin({}, "host-local", "ipam"),
  new FakePlugin({}, "loopback"),
];

describe("the name alone", () => {
  test.each([
    ["bridge", "bridge"],
    ["cnv-bridge", "bridge"],
    ["rancher-bridge", "bridge"],
    ["bridge.old", "bridge"],
    ["CNV-Bridge-1.2", "bridge"],
    ["cnvbridge", "bridge"],
    ["cnv-host-local", "host-local"],
    ["k3s_loopback", "loopback"],
    ["bridgehead-bridge", "bridge"],
    ["bridgehead", undefined],
    ["bridgehead-1.0.0-linux-x64", undefined],
    ["Bridgehead.new", undefined],
    ["my-bridge-host-local", undefined],
    ["macvlan", undefined],
    ["", undefined],
    ["constructor", undefined],
  ] as const)("K11: %j is %p", (name, plugin) => {
    expect(pluginIn(name, fakePlugins())?.name).toBe(plugin);
  });
});

/** A call of the file `name`. The plugin that answered is in `by`. */
async function callBy(name: string, command: string, stdin: string): Promise<Answer & { by: string[] }> {
  const fakes = fakePlugins();
  let stdout = "";
  let stdinReads = 0;
  const exitCode = await runByConfig(name, fakes, {
    environment: environmentOf(command),
    readStdin: () => {
      stdinReads++;
      return bytes(stdin);
    },
    stdout: (text) => {
      stdout += text;
    },
    stderr: () => {},
    isOwnNetns: () => false,
    time: endlessTime,
    delegation: noDelegation,
  });
  const by = fakes.filter(({ requests }) => requests.length > 0).map((fake) => fake.name);
  const error = exitCode === 0 ? undefined : JSON.parse(stdout);
  return { exitCode, stdout, stderr: "", stdinReads, error, by };
}

const ipam = (type: string) => ({ ipam: { type } });

describe("a name that is not clear", () => {
  test.each([
    ["3", { type: "bridge" }, "bridge"],
    ["bridgehead", { type: "bridge", ...ipam("host-local") }, "bridge"],
    ["bridgehead", { type: "cnv-bridge" }, "bridge"],
    ["a-wrapper", { TYPE: "loopback" }, "loopback"],
    ["bridgehead", { type: "host-local" }, "host-local"],
    // The name contains several plugins: it is one of these.
    ["my-bridge-host-local", { type: "bridge" }, "bridge"],
    ["my-bridge-host-local", { type: "host-local" }, "host-local"],
    ["my-bridge-host-local", { type: "my-bridge-host-local", ...ipam("host-local") }, "bridge"],
    // An IPAM plugin, called by an interface plugin whose "type" is on stdin.
    ["my-bridge-host-local", { type: "bridge", ...ipam("my-bridge-host-local") }, "host-local"],
  ] as const)("K11: %j with %j is %p, for every command", async (name, config, plugin) => {
    for (const command of ["ADD", "CHECK", "DEL", "GC", "STATUS"]) {
      const stdin = JSON.stringify({ ...JSON.parse(configOf()), type: undefined, ...config });
      expect(await callBy(name, command, stdin)).toMatchObject({ exitCode: 0, by: [plugin], stdinReads: 1 });
    }
  });

  test.each([
    ["macvlan", configOf({ type: "macvlan" })],
    ["bridgehead", configOf({ type: "bridgehead" })],
    ["my-bridge-host-local", configOf({ type: "loopback" })],
    // Running "bridge" here would be an endless recursion.
    ["my-addresses", configOf({ type: "bridge", ...ipam("my-addresses") })],
    ["macvlan", configOf({ type: 5 })],
    ["macvlan", "[]"],
    ["macvlan", ""],
  ])("A16, K11: %j with %s gets one error object that says what names there are", async (name, stdin) => {
    const { error, by } = await callBy(name, "DEL", stdin);
    expect(by).toEqual([]);
    expect(error?.code).toBe(4);
    for (const word of [`"${name}"`, ...["bridge", "host-local", "loopback"]])
      expect(error?.msg).toContain(word);
  });

  test("A6: the plugin reports an unknown command", async () => {
    expect((await callBy("x", "ADD2", configOf({ type: "bridge" }))).error?.msg).toBe(
      "unknown CNI_COMMAND: ADD2",
    );
  });
});
