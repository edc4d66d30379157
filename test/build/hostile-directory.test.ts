/**
 * A plugin is started by root, in whatever directory root stands. Files there that a JavaScript runtime likes to obey
 * must not change anything: no settings, no code, no output.
 */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcomeOf } from "../support/command.ts";
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
const PRELOAD = 'preload = ["./preload.js"]';
const OPTIONS = "BUN_OPTIONS=--preload=./preload.js\nNODE_OPTIONS=--require=./preload.js";
for (const kind of ["", ".local", ".production", ".development", ".test"])
  write(`.env${kind}`, `CNI_COMMAND=VERSION\n${OPTIONS}\n`);
write("bunfig.toml", `${PRELOAD}\n[run]\n${PRELOAD}\n[test]\n${PRELOAD}\n`);
write("tsconfig.json", '{ "compilerOptions": { "baseUrl": ".", "paths": { "*": ["./preload.js"] } } }');
write("package.json", '{ "type": "commonjs", "imports": { "#*": "./preload.js" }, "main": "preload.js" }');
for (const name of ["bun:ffi", "bun", "bridgehead", "cni", "undici"])
  write(`node_modules/${name}/index.js`, CODE);
for (const name of ["preload.js", "index.js", "src/main.ts", "plugins/bridge/index.ts"]) write(name, CODE);

const CONFIG = JSON.stringify({
  cniVersion: "1.0.0",
  name: "net",
  type: "host-local",
  ipam: { type: "host-local", subnet: "10.1.0.0/24", dataDir: join(empty, "leases") },
});

const VARIABLES = { CNI_CONTAINERID: "c1", CNI_NETNS: "/nowhere", CNI_IFNAME: "eth0", CNI_PATH: bin };

/** Each program with and without a command, as far as that changes nothing on this machine. */
test.each<[name: string, exitCode: number, program: string, env: object, ...words: string[]]>([
  ["bridge without a command", 0, "bridge", {}],
  ["bridge VERSION", 0, "bridge", { CNI_COMMAND: "VERSION" }],
  ["bridge CHECK", 1, "bridge", { CNI_COMMAND: "CHECK", ...VARIABLES }],
  ["host-local CHECK", 1, "host-local", { CNI_COMMAND: "CHECK", ...VARIABLES }],
  ["host-local DEL", 0, "host-local", { CNI_COMMAND: "DEL", ...VARIABLES }],
  ["loopback ADD without a namespace", 1, "loopback", { CNI_COMMAND: "ADD", ...VARIABLES }],
  ["bridgehead", 0, "bridgehead", {}],
  ["bridgehead with a script's name", 2, "bridgehead", {}, "./preload.js"],
])(
  "%s does the same in a hostile directory as in an empty one",
  async (_name, exitCode, program, env, ...words) => {
    const callIn = (cwd: string) =>
      outcomeOf([join(bin, program), ...words], { cwd, env: { ...env }, stdin: CONFIG });
    const expected = await callIn(empty);
    expect(expected.exitCode).toBe(exitCode);
    expect(await callIn(hostile)).toEqual(expected);
    expect(existsSync(trace)).toBe(false);
  },
);
