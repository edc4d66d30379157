/** The configuration on stdin: rules A9–A12. */
import { BARE, LATEST, network, PLUGINS, VALID, VERSIONS } from "../../engine/network.ts";
import { ofEach } from "../case.ts";

const STILL = { still: true };
const COMMANDS = ["ADD", "CHECK", "DEL", "GC", "STATUS"] as const;

ofEach(PLUGINS, "A9: stdin cannot be read", STILL, async (bench) => {
  for (const command of COMMANDS) {
    for (const input of ["folder", "write-only"] as const) {
      const answer = await bench.callWith(input, command, { how: `stdin ${input}` });
      bench.refused(answer, { code: 5, says: "error reading from stdin" });
    }
    // A program that is started without stdin gets an empty one from its language's own start.
    const closed = await bench.callWith("closed", command, { how: "stdin closed" });
    bench.refused(closed, { code: [5, 6] });
  }
});

/** Text that is no JSON, and the line where the fault is. */
const FAULTS: Readonly<Record<string, readonly [text: string, line: number]>> = {
  empty: ["", 1],
  blank: [" \n", 2],
  word: ["hello", 1],
  "cut off": ['{"cniVersion":"1.1.0","name":', 1],
  "third line": ['{\n  "cniVersion": "1.1.0",\n  "name": spec\n}', 3],
  "missing comma": ['{\n  "cniVersion": "1.1.0"\n  "name": "spec"\n}', 3],
  "comma too many": ['{"cniVersion":"1.1.0",\n"name":"net",\n}', 3],
  "two documents": ['{"cniVersion":"1.1.0","name":"net"}\n{}', 2],
  comment: ['// a network\n{"cniVersion":"1.1.0","name":"net"}', 1],
  "byte order mark": ['\ufeff{"cniVersion":"1.1.0","name":"net"}', 1],
};

ofEach(PLUGINS, "A9: stdin is no JSON", STILL, async (bench) => {
  for (const command of COMMANDS) {
    for (const [how, [text, line]] of Object.entries(FAULTS)) {
      await bench.refuses({ code: 6, says: new RegExp(`line ${line}, column \\d`) }, command, text, { how });
    }
  }
});

ofEach(PLUGINS, "A9: stdin is no object", STILL, async (bench) => {
  for (const text of ["[]", "7", '"spec"', "true", "null"])
    await bench.refuses({ code: 6 }, "ADD", text, { how: text });
});

const NAMES = {
  good: ["a", "A0_.-", "7", "a..b"],
  bad: ["a/b", "..", "-a", "_a", "a b", "a:b", "a\n", "ä", "a\u0000b"],
};

ofEach(PLUGINS, "A10: the network's name", STILL, async (bench) => {
  for (const command of COMMANDS) {
    for (const [how, name] of Object.entries({ absent: undefined, empty: "" })) {
      const { name: _, ...rest } = network({ [VALID]: [] });
      const config = name === undefined ? rest : { ...rest, name };
      await bench.refuses({ code: 7, says: "missing network name" }, command, config, { how: `name ${how}` });
    }
    for (const name of NAMES.bad) {
      const options = { how: `${JSON.stringify(name)}` };
      await bench.refuses({ code: 7, details: name }, command, network({ name, [VALID]: [] }), options);
    }
  }
  for (const name of NAMES.good) await bench.accepts("STATUS", network({ name }), { how: name, env: BARE });
  for (const config of ["", "{}", '{"name":"a/b"}', "nonsense"])
    await bench.accepts("VERSION", config, { how: config });
});

ofEach(PLUGINS, "A11: cniVersion absent or empty is 0.1.0", async (bench) => {
  const { cniVersion: _, ...rest } = network();
  for (const [how, config] of Object.entries({ absent: rest, empty: { ...rest, cniVersion: "" } })) {
    const added = await bench.accepts("ADD", config, { how: `version ${how}` });
    bench.is(`version ${how}: keys of the result`, Object.keys(added.document ?? {}).includes("ip4"), true);
    await bench.refuses({ code: 1 }, "CHECK", config, { how: `version ${how}` });
    await bench.accepts("DEL", config, { how: `version ${how}` });
  }
});

const OTHERS = ["0.0.1", "0.3.2", "0.9.0", "1.0.1", "1.2.0", "2.0.0", "10.0.0"];

ofEach(PLUGINS, "A11: a version that is not supported", STILL, async (bench) => {
  for (const cniVersion of OTHERS) {
    for (const command of ["ADD", "DEL"]) {
      const options = { how: cniVersion };
      const answer = await bench.refuses(
        { code: 1, says: "incompatible CNI versions" },
        command,
        network({ cniVersion }),
        options,
      );
      const details = String(answer.error.details);
      const namesBoth = [cniVersion, ...VERSIONS].every((version) => details.includes(version));
      bench.holds(
        `${command}, ${cniVersion}: details name the version and those that work`,
        namesBoth,
        details,
      );
    }
  }
});

const TOO_OLD = { CHECK: VERSIONS.slice(0, 4), GC: VERSIONS.slice(0, 6), STATUS: VERSIONS.slice(0, 6) };
const NO_NUMBERS = ["abc", "1.x.0", "1.1.0.0", "v1.1.0"];

ofEach(PLUGINS, "A12: versions that know the command", STILL, async (bench) => {
  for (const [command, tooOld] of Object.entries(TOO_OLD)) {
    for (const cniVersion of ["", ...tooOld]) {
      const options = { how: `${cniVersion || "empty"}` };
      await bench.refuses(
        { code: 1, says: `config version does not allow ${command}` },
        command,
        network({ cniVersion, [VALID]: [] }),
        options,
      );
    }
    for (const cniVersion of NO_NUMBERS) {
      const options = { how: cniVersion };
      await bench.refuses({ code: 6 }, command, network({ cniVersion, [VALID]: [] }), options);
    }
  }
  const config = network({ [VALID]: [] });
  for (const command of ["GC", "STATUS"]) await bench.accepts(command, config, { how: LATEST, env: BARE });
});

ofEach(PLUGINS, "A12: versions that know CHECK", async (bench) => {
  for (const cniVersion of VERSIONS.slice(4)) {
    const config = network({ cniVersion });
    const added = await bench.call("ADD", config, { how: cniVersion });
    await bench.accepts("CHECK", config, { how: cniVersion, after: added });
    await bench.accepts("DEL", config, { how: cniVersion, after: added });
  }
});
