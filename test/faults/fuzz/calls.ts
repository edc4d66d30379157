/**
 * Calls the built plugins with altered input, in a scratch host of its own. Its first file system is read-only: what an
 * altered configuration names must not be written on the machine. Prints a CallReport. Started by ../fuzz.ts.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { Chance } from "../../fuzz/chance.ts";
import { configuration, environment } from "../../fuzz/cni-layers.ts";
import { mutateBytes, ODD_TEXTS } from "../../fuzz/mutate.ts";
import { outputOf } from "../../support/command.ts";
import { COMMAND_LIMIT } from "../../support/limits.ts";
import { requireScratchHost } from "../../support/scratch-host.ts";
import type { CallReport } from "../fuzz.ts";
import { problemOf, traces } from "./judge.ts";

const [binaries = "", seedText = "", callsText = "", timeText = ""] = process.argv.slice(2);
const seed = Number(seedText);
const deadline = performance.now() + Number(timeText);
requireScratchHost();
await outputOf(["mount", "-o", "remount,bind,ro", "/"]);

const NETNS = "/run/netns/f";
const LEASES = "/var/lib/cni/networks";
/** What a planted link leads to: nobody may follow it to write. */
const OUTSIDE = "/var/lib/outside";
const PLUGINS = ["bridge", "bridge", "host-local", "loopback"] as const;
const decoder = new TextDecoder();

await outputOf(["ip", "netns", "add", "f"]);
writeFileSync(OUTSIDE, "outside");
mkdirSync(LEASES, { recursive: true });

/** Since the last sweep: a planted file may be anybody's lease, or nobody's, and may rightly go. */
let planted = false;
let done = 0;
let refused = 0;
const found: string[] = [];
for (
  let number = 0;
  number < Number(callsText) && performance.now() < deadline && found.length < 10;
  number++
) {
  const problem = await attempt(new Chance(seed + number));
  if (problem !== undefined) found.push(`call, seed ${seed + number}: ${problem}`);
  if (number % 100 === 99) await sweep();
}
const report: CallReport = { tried: done + refused, done, refused, found };
console.log(JSON.stringify(report));

/** One call. What was done is taken back by the same plugin. Returns what is wrong. */
async function attempt(chance: Chance): Promise<string | undefined> {
  const plugin = chance.of(PLUGINS);
  const stdin = confined(configuration(chance));
  const variables = environment(chance);
  if (chance.oneIn(20)) plant(chance);
  if (variables.CNI_PATH === "/opt/cni/bin") variables.CNI_PATH = binaries;
  if (variables.CNI_NETNS === "/var/run/netns/a" && !chance.oneIn(6)) variables.CNI_NETNS = NETNS;
  const before = traces(LEASES);
  const ended = run(plugin, variables, stdin);
  if (ended.exitCode === 0) done++;
  else refused++;
  const wrong = problemOf(ended, variables.CNI_COMMAND ?? "");
  if (wrong !== undefined) return `${plugin} ${JSON.stringify(variables)} ${decoder.decode(stdin)}: ${wrong}`;
  if (readFileSync(OUTSIDE, "utf8") !== "outside") return `${plugin} wrote through a link`;
  if (ended.exitCode === 0 && variables.CNI_COMMAND === "ADD") {
    const undone = run(plugin, { ...variables, CNI_COMMAND: "DEL" }, stdin);
    if (undone.exitCode !== 0) return `${plugin}: DEL after ADD: ${undone.stdout}: ${decoder.decode(stdin)}`;
  }
  const commandsThatRemove = ["DEL", "GC"];
  if (ended.exitCode === 0 && commandsThatRemove.includes(variables.CNI_COMMAND ?? "")) return undefined;
  if (planted) return undefined;
  const after = traces(LEASES);
  return after === before
    ? undefined
    : `${plugin} ${variables.CNI_COMMAND} changed ${before} to ${after}: ${JSON.stringify(variables)} ${decoder.decode(stdin)}`;
}

/** A configuration that keeps its leases in the scratch host, whatever else it says. */
function confined(stdin: Uint8Array): Uint8Array {
  const text = decoder.decode(stdin);
  return /datadir/i.test(text)
    ? new TextEncoder().encode(text.replaceAll(/("datadir"\s*:\s*)("(?:[^"\\]|\\.)*")/gi, `$1"${LEASES}"`))
    : stdin;
}

function run(plugin: string, variables: Record<string, string>, stdin: Uint8Array) {
  const start = performance.now();
  const child = Bun.spawnSync([`${binaries}/${plugin}`], {
    env: { PATH: "/usr/sbin:/usr/bin", ...variables },
    stdin,
    timeout: COMMAND_LIMIT,
    killSignal: "SIGKILL",
  });
  return {
    exitCode: child.exitCode,
    signal: child.signalCode,
    stdout: decoder.decode(child.stdout),
    stderr: decoder.decode(child.stderr),
    milliseconds: performance.now() - start,
  };
}

/** Something in the lease folder that no plugin put there. */
function plant(chance: Chance): void {
  const folder = `${LEASES}/${chance.of(["net", "mybridge", "vlans"])}`;
  const name = chance.of([
    `10.88.0.${chance.below(9)}`,
    "10.15.20.12",
    "last_reserved_ip.0",
    "fd00::2",
    ...ODD_TEXTS,
  ]);
  if (name.length > 100 || /[/\0]/.test(name) || ["", ".", ".."].includes(name)) return;
  try {
    mkdirSync(folder, { recursive: true });
    if (chance.oneIn(4)) symlinkSync(OUTSIDE, `${folder}/${name}`);
    else
      writeFileSync(
        `${folder}/${name}`,
        mutateBytes(chance, new TextEncoder().encode("container-1\r\neth0")),
        // Not through a link that was planted before.
        { flag: "wx" },
      );
    planted = true;
  } catch {
    // Something of that name is there.
  }
}

/** Bridges stay by design, and what was planted: away with all. */
async function sweep(): Promise<void> {
  planted = false;
  await outputOf(
    `for link in /sys/class/net/*; do ip link delete "$(basename "$link")" 2>/dev/null; done; true`,
  );
  await outputOf(`rm -rf ${LEASES}/* ${LEASES}/.bridgehead`);
}
