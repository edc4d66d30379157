/**
 * A plugin is started by root, in whatever directory root stands. Files there that a JavaScript runtime likes to obey
 * must not change anything: no settings, no code, no output.
 */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Outcome, outcomeOf } from "../support/command.ts";
import { builtBinaries } from "../support/plugin-call.ts";

const bin = builtBinaries();
const empty = mkdtempSync(join(tmpdir(), "bridgehead-empty-"));
const hostile = mkdtempSync(join(tmpdir(), "bridgehead-hostile-"));
afterAll(() => {
  for (const folder of [empty, hostile]) rmSync(folder, { recursive: true, force: true });
});

/** Made by any code of the directory that runs. */
const trace = join(hostile, "code-ran");
const CODE = `require("fs").writeFileSync(${JSON.stringify(trace)}, "x"); console.log("hostile");`;

const write = (name: string, text: string) => {
  mkdirSync(join(hostile, name, ".."), { recursive: true });
  writeFileSync(join(hostile, name), text);
};
for (const name of [".env", ".env.local", ".env.production", ".env.development", ".env.test"]) {
  write(
    name,
    "CNI_COMMAND=VERSION\nBUN_OPTIONS=--preload=./preload.js\nNODE_OPTIONS=--require=./preload.js\n",
  );
}
write("preload.js", CODE);
write(
  "bunfig.toml",
  'preload = ["./preload.js"]\n[run]\npreload = ["./preload.js"]\n[test]\npreload = ["./preload.js"]\n',
);
write("tsconfig.json", '{ "compilerOptions": { "baseUrl": ".", "paths": { "*": ["./preload.js"] } } }');
write("package.json", '{ "type": "commonjs", "imports": { "#*": "./preload.js" }, "main": "preload.js" }');
for (const name of ["bun:ffi", "bun", "bridgehead", "cni", "undici"])
  write(`node_modules/${name}/index.js`, CODE);
write("index.js", CODE);
write("src/main.ts", CODE);
write("plugins/bridge/index.ts", CODE);

const CONFIG = JSON.stringify({
  cniVersion: "1.0.0",
  name: "net",
  type: "host-local",
  ipam: { type: "host-local", subnet: "10.1.0.0/24", dataDir: join(empty, "leases") },
});

const VARIABLES = { CNI_CONTAINERID: "c1", CNI_NETNS: "/nowhere", CNI_IFNAME: "eth0", CNI_PATH: bin };

interface Call {
  readonly name: string;
  readonly program: string;
  readonly env: Record<string, string>;
  readonly words?: readonly string[];
  readonly exitCode: number;
}

/** Each program with and without a command, as far as that changes nothing on this machine. */
const CALLS: readonly Call[] = [
  { name: "bridge without a command", program: "bridge", env: {}, exitCode: 0 },
  { name: "bridge VERSION", program: "bridge", env: { CNI_COMMAND: "VERSION" }, exitCode: 0 },
  { name: "bridge CHECK", program: "bridge", env: { CNI_COMMAND: "CHECK", ...VARIABLES }, exitCode: 1 },
  {
    name: "host-local CHECK",
    program: "host-local",
    env: { CNI_COMMAND: "CHECK", ...VARIABLES },
    exitCode: 1,
  },
  { name: "host-local DEL", program: "host-local", env: { CNI_COMMAND: "DEL", ...VARIABLES }, exitCode: 0 },
  {
    name: "loopback ADD without a namespace",
    program: "loopback",
    env: { CNI_COMMAND: "ADD", ...VARIABLES },
    exitCode: 1,
  },
  { name: "bridgehead", program: "bridgehead", env: {}, exitCode: 0 },
  {
    name: "bridgehead with a script's name",
    program: "bridgehead",
    env: {},
    words: ["./preload.js"],
    exitCode: 2,
  },
];

const callIn = (cwd: string, { program, env, words = [] }: Call): Promise<Outcome> =>
  outcomeOf([join(bin, program), ...words], { cwd, env, stdin: CONFIG });

test.each([...CALLS])("$name does the same in a hostile directory as in an empty one", async (call) => {
  const expected = await callIn(empty, call);
  const found = await callIn(hostile, call);
  expect(expected.exitCode).toBe(call.exitCode);
  expect(found).toEqual(expected);
  expect(existsSync(trace)).toBe(false);
});
