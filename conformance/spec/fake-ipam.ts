/** Plugins that play an IPAM: shell scripts that write down how they were called, and answer as a case wants. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "../engine/bench.ts";
import { type JsonRecord, NOTES, network, PLUGIN_PATH } from "../engine/network.ts";

/** Where fake plugins are. */
export const FAKES = join(NOTES, "plugins");

/** Shell commands by CNI_COMMAND; a command that is left out succeeds. */
export type Script = Readonly<Record<string, string>>;

/** What a fake's ADD prints unless a case wants something else. */
export const ADDRESS = `echo '{"cniVersion":"1.1.0","ips":[{"address":"10.10.0.77/24","gateway":"10.10.0.1"}]}'`;

const recordOf = (name: string): string => join(NOTES, `record-${name}`);

/** Writes a fake into a folder. Each call leaves its command, and per command its environment and stdin. */
export function writeFake(bench: Bench, name: string, script: Script = {}, folder = FAKES): void {
  const record = recordOf(name);
  const cases = Object.entries({ ADD: ADDRESS, ...script }).map(
    ([command, text]) => `${command})\n${text}\n;;`,
  );
  bench.program(
    join(folder, name),
    `#!/bin/sh
mkdir -p ${record}
echo "$CNI_COMMAND" >> ${record}/calls
env > "${record}/environment-$CNI_COMMAND"
cat > "${record}/stdin-$CNI_COMMAND"
case "$CNI_COMMAND" in
${cases.join("\n")}
esac
`,
  );
}

/** CNI_PATH by which the fakes are found as well as the real plugins. */
export const FAKE_PATH = `${FAKES}:${PLUGIN_PATH}`;

/** A network of bridge with a fake IPAM of that name, which is written, and which the calls from now on find. */
export function fakeNetwork(
  bench: Bench,
  name: string,
  script: Script = {},
  keys: JsonRecord = {},
): JsonRecord {
  writeFake(bench, name, script);
  bench.path = FAKE_PATH;
  return network({ ipam: { type: name }, ...keys });
}

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** The commands that a fake was called with, in order. */
export const callsOf = (name: string): string[] =>
  read(join(recordOf(name), "calls"))
    .split("\n")
    .filter((line) => line !== "");

/** The environment of a fake's last call with a command. */
export const environmentOf = (name: string, command: string): Record<string, string> =>
  Object.fromEntries(
    read(join(recordOf(name), `environment-${command}`))
      .split("\n")
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );

/** Standard input of a fake's last call with a command. */
export const stdinOf = (name: string, command: string): string =>
  read(join(recordOf(name), `stdin-${command}`));

/** Forgets what was written down. */
export const forget = (bench: Bench, name: string): Promise<string> => bench.run(`rm -rf ${recordOf(name)}`);
