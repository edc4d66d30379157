/**
 * npm run bench -- instructions: how many instructions each call executes, counted by callgrind. The count hardly differs
 * from run to run and from machine to machine, so a change of one hundredth shows, which no clock does. Compares with
 * the table in bench/results, and renews it with --write.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf } from "../test/support/command.ts";
import {
  addNamespaces,
  type CallOptions,
  DUAL_STACK,
  IPV4_PLAIN,
  MASQUERADE,
  pluginCall,
  type Shape,
} from "./attachment.ts";
import type { BenchHost, Program } from "./host.ts";

const TABLE = join(import.meta.dir, "results/instructions.md");
const HEAD = "| call | million instructions | aim |\n|---|---:|---:|\n";

/** A bridge of its own: its addresses are of another network. */
const DUAL: Shape = { name: DUAL_STACK.name, config: { ...DUAL_STACK.config, bridge: "cni1" } };
const LOOPBACK: Shape = { name: "loopback", config: {} };

interface Call {
  readonly name: string;
  readonly command: string;
  readonly shape: Shape;
  readonly plugin?: string;
  /** Millions of instructions; left out where none was set. */
  readonly aim?: number;
}

/** In this order: what a call adds a later one needs or takes away. */
const CALLS: readonly Call[] = [
  { name: "VERSION", command: "VERSION", shape: IPV4_PLAIN, aim: 4.2 },
  { name: "ADD IPv4", command: "ADD", shape: IPV4_PLAIN, aim: 11 },
  { name: "CHECK IPv4", command: "CHECK", shape: IPV4_PLAIN, aim: 9 },
  { name: "DEL IPv4", command: "DEL", shape: IPV4_PLAIN, aim: 10 },
  { name: "second DEL IPv4", command: "DEL", shape: IPV4_PLAIN, aim: 10 },
  { name: "ADD ipMasq", command: "ADD", shape: MASQUERADE, aim: 14.5 },
  { name: "DEL ipMasq", command: "DEL", shape: MASQUERADE, aim: 12.5 },
  { name: "ADD dual-stack, ipMasq, promisc", command: "ADD", shape: DUAL },
  { name: "DEL dual-stack, ipMasq, promisc", command: "DEL", shape: DUAL },
  { name: "STATUS ipMasq", command: "STATUS", shape: MASQUERADE },
  { name: "host-local ADD", command: "ADD", shape: IPV4_PLAIN, plugin: "host-local", aim: 6.5 },
  { name: "host-local DEL", command: "DEL", shape: IPV4_PLAIN, plugin: "host-local", aim: 5.5 },
  { name: "loopback ADD", command: "ADD", shape: LOOPBACK, plugin: "loopback" },
];

/** Counts all calls of the plugins in `folder`, on a host that has one attachment of each shape already. */
export async function countInstructions(host: BenchHost, folder: string, write: boolean): Promise<void> {
  const before = existsSync(TABLE) ? readFileSync(TABLE, "utf8") : "";
  const path = await pathWithin(host, await callgrindOf());
  await addNamespaces(host, "standing", 2);
  await addNamespaces(host, "measured", 1);
  for (const [number, shape] of [MASQUERADE, DUAL].entries()) {
    await host.time([pluginCall("ADD", { folder, shape, number, netns: `standing${number}` })]);
  }
  console.log(`${"million instructions".padEnd(34)}     now  recorded  change   aim  beyond`);
  let prevResult = "";
  let table = HEAD;
  for (const { name, command, shape, plugin, aim } of CALLS) {
    const options: CallOptions = {
      ...{ folder, shape, number: 10, netns: "measured0", version: "1.1.0" },
      ...(plugin === undefined ? {} : { plugin }),
      ...(command === "CHECK" ? { prevResult } : {}),
    };
    const { count, stdout } = await counted(host, pluginCall(command, options), path);
    if (command === "ADD") prevResult = stdout;
    console.log(lineOf(name, count, recordedIn(before, name), aim));
    table += `| ${name} | ${count.toFixed(2)} | ${aim ?? ""} |\n`;
  }
  if (!write) return;
  writeFileSync(TABLE, table);
  console.log("wrote bench/results/instructions.md");
}

/** Millions of instructions of the program itself, without those of children. */
async function counted(host: BenchHost, program: Program, path: string) {
  const valgrind = [
    Bun.which("valgrind") ?? "valgrind",
    "--tool=callgrind",
    "--callgrind-out-file=/dev/null",
  ];
  const { calls } = await host.time([
    { ...program, argv: [...valgrind, ...program.argv], env: { ...program.env, CNI_PATH: path } },
  ]);
  const { stdout = "", stderr = "" } = calls[0] ?? {};
  const [, collected] = /Collected : (\d+)/.exec(stderr) ?? [];
  if (collected === undefined) throw new Error(`valgrind counted nothing:\n${stderr}`);
  return { count: Number(collected) / 1e6, stdout };
}

/** The program that valgrind turns into: it names it where it says what it does. */
async function callgrindOf(): Promise<string> {
  const { stderr } = await outcomeOf(["valgrind", "-d", "--tool=callgrind", "--version"]);
  const [, path] = /launching (\/\S+)/.exec(stderr) ?? [];
  if (path === undefined) throw new Error(`valgrind does not say where its callgrind is:\n${stderr}`);
  return path;
}

/**
 * A folder for CNI_PATH in which host-local is valgrind's tool: /proc/self/exe leads there, so that bridge takes it for
 * its own file, and runs host-local in its own process as it does without valgrind.
 */
async function pathWithin(host: BenchHost, tool: string): Promise<string> {
  await host.script(`mkdir /run/path; ln -s ${tool} /run/path/host-local`);
  return "/run/path";
}

function recordedIn(table: string, name: string): number | undefined {
  const row = table.split("\n").find((line) => line.startsWith(`| ${name} |`));
  return row === undefined ? undefined : Number(row.split("|")[2]);
}

/** Each figure beside the recorded one and the aim, with the distance to both. */
export function lineOf(name: string, count: number, recorded: number | undefined, aim: number | undefined) {
  const signed = (value: number) => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(2)}`;
  const columns = [
    count.toFixed(2).padStart(8),
    (recorded?.toFixed(2) ?? "").padStart(10),
    (recorded === undefined ? "" : signed(count - recorded)).padStart(8),
    (aim?.toString() ?? "").padStart(6),
    (aim === undefined ? "" : signed(count - aim)).padStart(8),
  ];
  return `${name.padEnd(34)}${columns.join("")}`.trimEnd();
}
