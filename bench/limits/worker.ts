/** In the scratch host: the measurements themselves. Arguments: the folder of the plugins, the program of peaks.c. */
import { rmSync } from "node:fs";
import { CASES, type Case, DATA } from "./cases.ts";
import { LIMITS, smallestThatWorks } from "./least.ts";
import { Plugins } from "./plugins.ts";

const [, , binaries = "", peaks = ""] = process.argv;
const plugins = new Plugins(binaries, peaks);

const mebibytes = (kibibytes: number): string => (kibibytes / 1024).toFixed(0);

function rowOf({ name, inputBytes, run }: Case): string {
  const { exitCode, resident, own, space } = run(plugins);
  const input = inputBytes === undefined ? "" : `${(inputBytes / 2 ** 20).toFixed(inputBytes < 1e7 ? 1 : 0)}`;
  const ended = exitCode === 0 ? "" : " (refused)";
  return `| ${name}${ended} | ${input} | ${mebibytes(resident)} | ${mebibytes(own)} | ${mebibytes(space)} |`;
}

console.log("| call | input, MiB | resident, MiB | private, MiB | address space, MiB |");
console.log("|---|---|---|---|---|");
for (const each of CASES) console.log(rowOf(each));
console.log("\n| limit | smallest with which VERSION works | ADD |");
console.log("|---|---|---|");
for (const limit of LIMITS) console.log(smallestThatWorks(limit, plugins));
rmSync(DATA, { recursive: true, force: true });
