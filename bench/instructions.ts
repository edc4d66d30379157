/**
 * npm run bench -- instructions: how many instructions each call executes with all programs that it starts, counted by
 * valgrind's lackey, without those of the kernel. The count of ours hardly differs from run to run and from machine to
 * machine, so a change of one hundredth shows, which no clock does; that of the reference, which has threads, differs by
 * some hundredths. Compares with the table in bench/results, and renews it with --write.
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
  MEASURED,
  pluginCall,
  type Shape,
} from "./attachment.ts";
import type { Owner, Side } from "./case.ts";
import { ofNerdctl, type Plugin, portmap } from "./chain.ts";
import type { BenchHost, Program } from "./host.ts";

const TABLE = join(import.meta.dir, "results/instructions.md");
const COLUMNS: readonly Owner[] = ["compact", "bun", "reference"];
const HEAD = `Million instructions of each call, with all programs that it starts. portmap, firewall and tuning are called as in
nerdctl's chain: with one port, with the policy \`same-bridge\`, and without settings.

| call | compact | Bun | reference | aim of Bun |
|---|---:|---:|---:|---:|
`;

/** A bridge of its own: its addresses are of another network. */
const DUAL: Shape = { name: DUAL_STACK.name, config: { ...DUAL_STACK.config, bridge: "cni1" } };
const LOOPBACK: Shape = { name: "loopback", config: {} };
const STATIC: Shape = {
  name: "static",
  config: { ipam: { type: "static", addresses: [{ address: "10.9.0.2/24", gateway: "10.9.0.1" }] } },
};
/** What nerdctl has behind bridge. */
const [, ...CHAINED] = ofNerdctl(MASQUERADE, 1).plugins(MEASURED);
/** The other cases of portmap: many ports, and in tables of nftables. */
const PORTS = [
  [100, {}, ", 100 ports"],
  [1, { backend: "nftables" }, ", nftables"],
  [100, { backend: "nftables" }, ", nftables, 100 ports"],
] as const;
/** Seconds. Each call is a hundred times slower than alone, and the limit that holds by itself would end it. */
const SLOWEST_CALL = 600;
const COMMANDS = ["ADD", "CHECK", "DEL"] as const;

interface Call {
  readonly name: string;
  readonly command: string;
  readonly shape: Shape;
  readonly plugin?: string;
  /** Whether it follows bridge in a chain, and gets its result. */
  readonly chained?: true;
  /** Millions of instructions of the Bun file; left out where none was set. */
  readonly aim?: number;
}

/** A call of a plugin that follows bridge in a chain. */
const chained = (command: string, { plugin, config }: Plugin, what = ""): Call => ({
  ...{ name: `${plugin} ${command}${what}`, command, plugin },
  ...{ shape: { name: plugin, config }, chained: true },
});

/** In this order: what a call adds a later one needs or takes away. */
const CALLS: readonly Call[] = [
  { name: "VERSION", command: "VERSION", shape: IPV4_PLAIN, aim: 4.2 },
  { name: "ADD IPv4", command: "ADD", shape: IPV4_PLAIN, aim: 11 },
  { name: "CHECK IPv4", command: "CHECK", shape: IPV4_PLAIN, aim: 9 },
  { name: "DEL IPv4", command: "DEL", shape: IPV4_PLAIN, aim: 10 },
  { name: "second DEL IPv4", command: "DEL", shape: IPV4_PLAIN, aim: 10 },
  { name: "ADD ipMasq", command: "ADD", shape: MASQUERADE, aim: 14.5 },
  chained("ADD", portmap(MEASURED, 0), ", no port"),
  ...CHAINED.flatMap((plugin) => COMMANDS.map((command) => chained(command, plugin))),
  ...PORTS.flatMap(([ports, more, what]) => {
    const { plugin, config } = portmap(MEASURED, ports);
    return COMMANDS.map((command) => chained(command, { plugin, config: { ...config, ...more } }, what));
  }),
  { name: "DEL ipMasq", command: "DEL", shape: MASQUERADE, aim: 12.5 },
  { name: "ADD dual-stack, ipMasq, promisc", command: "ADD", shape: DUAL },
  { name: "DEL dual-stack, ipMasq, promisc", command: "DEL", shape: DUAL },
  { name: "STATUS ipMasq", command: "STATUS", shape: MASQUERADE },
  { name: "host-local ADD", command: "ADD", shape: IPV4_PLAIN, plugin: "host-local", aim: 6.5 },
  { name: "host-local DEL", command: "DEL", shape: IPV4_PLAIN, plugin: "host-local", aim: 5.5 },
  { name: "static ADD", command: "ADD", shape: STATIC, plugin: "static" },
  { name: "static CHECK", command: "CHECK", shape: STATIC, plugin: "static" },
  { name: "static DEL", command: "DEL", shape: STATIC, plugin: "static" },
  { name: "loopback ADD", command: "ADD", shape: LOOPBACK, plugin: "loopback" },
];

/** Millions of instructions of a call; undefined for a side that was not counted. */
export type Counts = Readonly<Partial<Record<Owner, number>>>;

/** Counts all calls of all sides, each on a host of its own that has one attachment of each shape already. */
export async function countInstructions(
  sides: readonly (readonly [Side, string])[],
  write: boolean,
  open: (side: Side) => Promise<BenchHost>,
): Promise<void> {
  const before = existsSync(TABLE) ? readFileSync(TABLE, "utf8") : "";
  const counted = new Map<Side, number[]>();
  for (const [side, folder] of sides) {
    await using host = await open(side);
    counted.set(side, await countsOf(host, folder, side));
  }
  console.log(headLine());
  let table = HEAD;
  for (const [index, { name, aim }] of CALLS.entries()) {
    const counts: Counts = Object.fromEntries(COLUMNS.map((side) => [side, counted.get(side)?.[index]]));
    console.log(lineOf(name, counts, recordedIn(before, name), aim));
    const cells = COLUMNS.map((side) => counts[side]?.toFixed(2) ?? "");
    table += `| ${[name, ...cells, aim ?? ""].join(" | ")} |\n`;
  }
  if (!write) return;
  writeFileSync(TABLE, table);
  console.log("wrote bench/results/instructions.md");
}

/** Counts all calls of the plugins in `folder`. */
async function countsOf(host: BenchHost, folder: string, side: Side): Promise<number[]> {
  await host.script("mkdir /run/counts");
  const path = side === "reference" ? folder : await pathWithin(host, await toolOf());
  await addNamespaces(host, "standing", 2);
  await addNamespaces(host, "measured", 1);
  for (const [number, shape] of [MASQUERADE, DUAL].entries()) {
    await host.time([pluginCall("ADD", { folder, shape, number, netns: `standing${number}` })]);
  }
  let prevResult = "";
  const counts: number[] = [];
  for (const { command, shape, plugin, chained } of CALLS) {
    const options: CallOptions = {
      ...{ folder, number: 10, netns: "measured0", version: "1.1.0" },
      shape: { ...shape, config: { ...shape.config, callTimeout: SLOWEST_CALL } },
      ...(plugin === undefined ? {} : { plugin }),
      ...(command === "CHECK" || chained === true ? { prevResult } : {}),
    };
    const { count, stdout } = await countOf(host, pluginCall(command, options), path);
    if (command === "ADD") prevResult = stdout;
    counts.push(count);
  }
  return counts;
}

/** Millions of instructions of a program and of those that it starts. */
async function countOf(host: BenchHost, program: Program, path: string) {
  const valgrind = [
    ...[Bun.which("valgrind") ?? "valgrind", "--tool=lackey", "--basic-counts=yes"],
    ...["--trace-children=yes", "--log-file=/run/counts/%p"],
  ];
  const { calls } = await host.time([
    { ...program, argv: [...valgrind, ...program.argv], env: { ...program.env, CNI_PATH: path } },
  ]);
  const logs = await host.script("cat /run/counts/*; rm /run/counts/*");
  return { count: millionsIn(logs), stdout: calls[0]?.stdout ?? "" };
}

/** The sum of all programs' instructions, in millions. @throws Error when there is none */
export function millionsIn(logs: string): number {
  const counts = [...logs.matchAll(/guest instrs: +([\d,]+)/g)].map(([, count = ""]) =>
    count.replaceAll(",", ""),
  );
  if (counts.length === 0) throw new Error(`valgrind counted nothing:\n${logs}`);
  return counts.reduce((sum, count) => sum + Number(count), 0) / 1e6;
}

/** The program that valgrind turns into: it names it where it says what it does. */
async function toolOf(): Promise<string> {
  const { stderr } = await outcomeOf(["valgrind", "-d", "--tool=lackey", "--version"]);
  const [, path] = /launching (\/\S+)/.exec(stderr) ?? [];
  if (path === undefined) throw new Error(`valgrind does not say where its lackey is:\n${stderr}`);
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

/** What the table has of a call. */
export function recordedIn(table: string, name: string): Counts {
  const cells = table
    .split("\n")
    .find((line) => line.startsWith(`| ${name} |`))
    ?.split("|");
  const numbers = COLUMNS.map((side, index) => [side, Number(cells?.[index + 2])] as const);
  return Object.fromEntries(numbers.filter(([, number]) => number > 0));
}

const headLine = (): string =>
  `${"million instructions".padEnd(34)}${COLUMNS.map((side) => `${side.padStart(10)}  change`).join("")}   aim of Bun`;

/** Each figure, with its distance to the recorded one; and that of the Bun file to its aim. */
export function lineOf(name: string, counts: Counts, recorded: Counts, aim: number | undefined): string {
  const signed = (value: number) => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(2)}`;
  const distance = (count: number | undefined, to: number | undefined) =>
    count === undefined || to === undefined ? "" : signed(count - to);
  const columns = COLUMNS.flatMap((side) => [
    (counts[side]?.toFixed(2) ?? "").padStart(10),
    distance(counts[side], recorded[side]).padStart(8),
  ]);
  return `${name.padEnd(34)}${columns.join("")}${(aim?.toString() ?? "").padStart(8)}${distance(counts.bun, aim).padStart(8)}`.trimEnd();
}
