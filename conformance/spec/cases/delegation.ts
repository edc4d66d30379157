/** Delegation to an IPAM plugin: rules A42–A49. */
// Long because: all that a fake IPAM can do to bridge, rule by rule.
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { BARE, FILES, type JsonRecord, network, PLUGIN_PATH, VALID, VERSIONS } from "../../engine/network.ts";
import { spec } from "../case.ts";
import {
  ADDRESS,
  callsOf,
  environmentOf,
  FAKE_PATH,
  FAKES,
  fakeNetwork,
  forget,
  stdinOf,
  writeFake,
} from "../fake-ipam.ts";

const COMMANDS = ["ADD", "CHECK", "DEL", "STATUS", "GC"] as const;
const RUNTIME = { CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=web-0", FOO: "bar baz", LANG: "C" };
const TRACE = {
  TRACEPARENT: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  TRACESTATE: "vendor=value",
  BAGGAGE: "key=a b",
};
/** What shells add to the environment of what they run. */
const OF_SHELL = ["PWD", "OLDPWD", "SHLVL", "_"];

spec("A42: the delegate gets the same environment and the same bytes (bridge)", async (bench) => {
  writeFake(bench, "fake");
  const text = `{ "type":"bridge",\n\t"cniVersion" : "1.1.0", "name":"net", "unknown":[1.50, "\u00e4\\u00e4"],\n "ipam":{"type":"fake", "more":{"z":1,"a":2}}, "bridge":"cni0", "${VALID}": [] }\n\n`;
  let printed = "";
  for (const command of COMMANDS) {
    const hasAttachment = command !== "STATUS" && command !== "GC";
    const env = { CNI_PATH: FAKE_PATH, ...RUNTIME, ...(hasAttachment ? {} : BARE) };
    // CHECK has the result of the ADD before it, in the midst of the same text.
    const stdin = command === "CHECK" ? text.replace("{ ", `{ "prevResult": ${printed}, `) : text;
    const answer = await bench.accepts(command, stdin, { label: command, env });
    if (command === "ADD") printed = answer.stdout.trim();
    const { PATH: _, ...seen } = environmentOf("fake", command);
    for (const name of OF_SHELL) delete seen[name];
    const attachment = { CNI_CONTAINERID: "id-c1", CNI_NETNS: "/run/netns/c1", CNI_IFNAME: "eth0" };
    const expected = {
      CNI_COMMAND: command,
      ...RUNTIME,
      CNI_PATH: FAKE_PATH,
      ...(hasAttachment && attachment),
    };
    bench.is(`${command}: environment`, sorted(seen), sorted(expected));
    bench.is(`${command}: stdin`, stdinOf("fake", command), stdin);
  }
});

const sorted = (object: Record<string, unknown>) => Object.fromEntries(Object.entries(object).sort());

spec("A42: the first along CNI_PATH is called (bridge)", async (bench) => {
  const [a, b] = [join(FILES, "a"), join(FILES, "b")];
  const only = (name: string, address: string) => ({
    ADD: ADDRESS.replace("10.10.0.77", address).replace("fake", name),
  });
  writeFake(bench, "twice", only("twice", "10.10.0.10"), a);
  writeFake(bench, "twice", only("twice", "10.10.0.20"), b);
  writeFake(bench, "late", only("late", "10.10.0.30"), b);
  // A folder of that name is no plugin.
  await bench.run(`mkdir -p ${a}/late`);
  const CNI_PATH = ["/nowhere", a, b, PLUGIN_PATH].join(":");
  for (const [type, address] of [
    ["twice", "10.10.0.10/24"],
    ["late", "10.10.0.30/24"],
  ] as const) {
    const added = await bench.accepts("ADD", network({ ipam: { type } }), {
      ifname: type,
      label: type,
      env: { CNI_PATH },
    });
    bench.is(`${type}: address`, (added.document?.ips as JsonRecord[] | undefined)?.[0]?.address, address);
  }
});

const UNFINDABLE: Readonly<Record<string, readonly [type: string, says: string]>> = {
  "a path": ["../bin/host-local", "invalid plugin name"],
  "an absolute path": [`${PLUGIN_PATH}/host-local`, "invalid plugin name"],
  unknown: ["nobody", `failed to find plugin "nobody" in path [${PLUGIN_PATH}]`],
};

for (const [what, [type, says]] of Object.entries(UNFINDABLE))
  spec(`A43: the delegate cannot be found: ${what} (bridge)`, { still: true }, async (bench) => {
    const config = network({ ipam: { type } });
    for (const command of ["ADD", "CHECK", "DEL", "STATUS"])
      await bench.refuses({ code: [7, 999], says }, command, config, { label: command });
  });

spec("A43: an IPAM without a name is none: layer 2 (bridge)", async (bench) => {
  for (const ipam of [{ type: "" }, {}]) {
    const added = await bench.accepts("ADD", network({ ipam }));
    bench.is("addresses", added.document?.ips, undefined);
    await bench.accepts("DEL", network({ ipam }));
  }
});

spec("A45: the delegate's ADD fails: its DEL is run (bridge)", async (bench) => {
  const before = await bench.state();
  const failing: Readonly<Record<string, string>> = {
    "an error": `echo '{"cniVersion":"1.1.0","code":117,"msg":"no address for you"}'; exit 1`,
    nothing: "exit 3",
    "no result": "echo nonsense",
    "an error of DEL too": `echo '{"cniVersion":"1.1.0","code":117,"msg":"no address for you"}'; exit 1`,
  };
  for (const [what, ADD] of Object.entries(failing)) {
    const DEL = what.includes("DEL") ? "exit 4" : "exit 0";
    const config = fakeNetwork(bench, "fake", { ADD, DEL });
    await bench.refuses({ code: what.includes("error") ? 117 : [6, 999] }, "ADD", config, { how: what });
    bench.is(`${what}: calls of the IPAM`, callsOf("fake"), ["ADD", "DEL"]);
    bench.is(`${what}: stdin of DEL`, stdinOf("fake", "DEL"), JSON.stringify(config));
    await forget(bench, "fake");
    await bench.unchanged(what, before);
  }
});

spec("A46: the delegate's stderr reaches ours (bridge)", async (bench) => {
  const loud = (command: string, end: string) => `echo 'the pool of ${command} has a remark' >&2; ${end}`;
  for (const [how, end] of [
    ["success", "exit 0"],
    ["failure", `echo '{"cniVersion":"1.1.0","code":117,"msg":"no"}'; exit 1`],
  ] as const) {
    for (const command of ["STATUS", "DEL", "GC", "ADD"]) {
      const text = loud(command, command === "ADD" && how === "success" ? ADDRESS : end);
      const config = fakeNetwork(bench, "fake", { [command]: text }, { [VALID]: [] });
      const answer = await bench.call(command, config, { how });
      bench.is(`${command}, ${how}: exit code`, answer.exitCode, how === "success" ? 0 : 1);
      const remark = `the pool of ${command} has a remark`;
      bench.holds(
        `${command}, ${how}: the remark is on stderr`,
        answer.stderr.includes(remark),
        answer.stderr,
      );
    }
  }
});

spec("A47: the delegate's error is passed on (bridge)", async (bench) => {
  const config = fakeNetwork(bench, "fake", {}, { [VALID]: [] });
  const added = await bench.call("ADD", config);
  for (const command of COMMANDS) {
    const ends: Readonly<
      Record<string, readonly [script: string, code: number | readonly number[], says: RegExp]>
    > = {
      "an error object": [
        `echo '{"cniVersion":"1.1.0","code":123,"msg":"the pool is away","details":"since noon"}'; exit 1`,
        123,
        /the pool is away.*since noon/,
      ],
      "only stderr": ["echo 'the pool has crashed' >&2; exit 1", 999, /the pool has crashed/],
      "only an exit code": ["exit 3", 999, /exit status 3/],
      "no JSON": ["echo 'the pool speaks'; exit 1", 999, /the pool speaks/],
      "a signal": ["kill -9 $$", 999, /killed|SIGKILL/],
    };
    for (const [index, [how, [script, code, says]]] of Object.entries(ends).entries()) {
      // Another interface each time, in case the one before has left something.
      const own = { id: `id-${command}-${index}`, ifname: `${command}${index}` };
      const options = command === "CHECK" ? { after: added } : own;
      const failing = fakeNetwork(bench, "fake", { [command]: script }, { [VALID]: [] });
      await bench.refuses({ code, says }, command, failing, { ...options, how });
    }
  }
});

const RESULTS: Readonly<Record<string, string>> = {
  "0.2.0": '{"ip4":{"ip":"10.10.0.77/24","gateway":"10.10.0.1"}}',
  "0.4.0": '{"ips":[{"version":"4","address":"10.10.0.77/24","gateway":"10.10.0.1"}]}',
  "1.1.0": '{"ips":[{"address":"10.10.0.77/24","gateway":"10.10.0.1"}]}',
};

spec("A48: a delegate's result without cniVersion is of the configuration's (bridge)", async (bench) => {
  for (const cniVersion of VERSIONS) {
    const own = cniVersion < "0.3.0" ? "0.2.0" : cniVersion < "1.0.0" ? "0.4.0" : "1.1.0";
    const config = fakeNetwork(bench, "fake", { ADD: `echo '${RESULTS[own]}'` }, { cniVersion });
    const added = await bench.accepts("ADD", config, { how: cniVersion });
    bench.holds(`${cniVersion}: the address`, added.stdout.includes("10.10.0.77/24"), added.stdout);
    await bench.accepts("DEL", config, { how: cniVersion });
  }
});

spec("A48: a delegate's result of another version is converted (bridge)", async (bench) => {
  for (const [version, text] of Object.entries(RESULTS)) {
    const result = text.replace("{", `{"cniVersion":"${version}",`);
    const config = fakeNetwork(bench, "fake", { ADD: `echo '${result}'` });
    const added = await bench.accepts("ADD", config, { how: version });
    bench.is(
      `${version}: address`,
      (added.document?.ips as JsonRecord[] | undefined)?.[0]?.address,
      "10.10.0.77/24",
    );
    await bench.accepts("DEL", config, { how: version });
  }
});

spec("A48: a delegate that is being written is tried again (bridge)", { slow: true }, async (bench) => {
  const config = fakeNetwork(bench, "fake");
  const file = openSync(join(FAKES, "fake"), "a");
  // Nobody can start it now: else this case would prove nothing.
  const seen = await bench.run(`${FAKES}/fake 2>&1 || true`);
  bench.holds("it is busy", /busy/i.test(seen), seen);
  const call = bench.call("ADD", config);
  setTimeout(() => closeSync(file), 300);
  bench.accepted(await call);
});

spec("A49: variables of tracing are passed on (bridge)", async (bench) => {
  const config = fakeNetwork(bench, "fake", {}, { [VALID]: [] });
  for (const command of ["ADD", "DEL", "STATUS", "GC"]) {
    await bench.accepts(command, config, { label: command, env: TRACE });
    const { TRACEPARENT, TRACESTATE, BAGGAGE } = environmentOf("fake", command);
    bench.is(`${command}: variables`, { TRACEPARENT, TRACESTATE, BAGGAGE }, TRACE);
  }
});
