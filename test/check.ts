/** npm run check: types, lint and format, unit tests, architecture. Each gate with its time; all of them are run. */
import { outcomeOf } from "./support/command.ts";
import { JOB_LIMIT } from "./support/limits.ts";
import { PROJECT } from "./support/test-files.ts";

const tool = (name: string) => `${PROJECT}/node_modules/.bin/${name}`;
const bun = process.execPath;

const GATES = [
  { name: "types", command: [tool("tsc"), "--noEmit", "-p", "."] },
  // The same sources with the other engine's room, and without any name that an engine adds to the language.
  { name: "types, compact", command: [tool("tsc"), "--noEmit", "-p", "compact"] },
  { name: "lint and format", command: [tool("biome"), "check", "--error-on-warnings", "."] },
  { name: "unit tests", command: [bun, "test/run.ts", "--unit"] },
  { name: "architecture", command: [bun, "test/run.ts", "architecture"] },
] as const;

let failed = 0;
for (const gate of GATES) {
  const start = performance.now();
  const { exitCode, stdout, stderr } = await outcomeOf(gate.command, { cwd: PROJECT, timeout: JOB_LIMIT });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (exitCode === 0) {
    const summary = gate.command.includes("test/run.ts") ? `  ${stdout.trimEnd().split("\n").at(-1)}` : "";
    console.log(`ok      ${gate.name.padEnd(16)} ${seconds} s${summary}`);
  } else {
    failed++;
    console.log(`FAILED  ${gate.name.padEnd(16)} ${seconds} s\n${stdout}${stderr}`);
  }
}
console.log(failed === 0 ? "all gates passed" : `${failed} of ${GATES.length} gates failed`);
process.exit(failed === 0 ? 0 : 1);
