/**
 * Captures the goldens of rtnetlink from `ip` and `bridge`, of nf_tables from `nft` and `iptables`. Needs root and
 * strace:
 *
 *   bun test/golden/capture.ts            all
 *   bun test/golden/capture.ts NAME...    only these
 *
 * Each scenario runs in a scratch host of its own. Sequence numbers, ports, counters and the addresses that the kernel
 * makes up differ from run to run, so a fresh capture changes every line: look at what the tests say, not at the diff.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeMessages, flag } from "../../src/netlink/message.ts";
import { outcomeOf, outputOf } from "../support/command.ts";
import { isolated } from "../support/isolation.ts";
import { provideTools } from "../support/tools.ts";
import { type Datagram, fileOf, formatGoldens, readGoldens, withoutRest } from "./golden.ts";
import { readScenarios, type Scenario } from "./scenarios.ts";

const PROTOCOLS = [
  { protocol: "rtnetlink", version: "ip -V" },
  { protocol: "nftables", version: "nft -v; iptables-nft -V" },
] as const;

await provideTools(["bridge", "ip", "mount", "nft", "strace", "sysctl", "unshare"], console.log);
const wanted = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "golden-"));
try {
  const kernel = `Linux ${(await outputOf("uname -r")).replace(/-.*/s, "")}`;
  for (const { protocol, version } of PROTOCOLS) {
    const versions = `${(await outputOf(version)).trim().replaceAll("\n", "; ")}; ${kernel}`;
    const goldens = new Map(readGoldens(protocol).map((golden) => [golden.name, golden]));
    for (const scenario of readScenarios(protocol)) {
      const { name, command, unless } = scenario;
      if (wanted.length > 0 && !wanted.includes(name)) continue;
      if (unless !== undefined && !(await succeeds(unless))) {
        console.log(`${protocol}, ${name}: not with this kernel; left as it is`);
        continue;
      }
      const datagrams = await capture(scenario);
      goldens.set(name, { name, command, versions, datagrams });
      console.log(`${protocol}, ${name}: ${datagrams.length} datagrams`);
    }
    const sorted = [...goldens.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    writeFileSync(fileOf(protocol), formatGoldens(sorted));
  }
} finally {
  rmSync(folder, { recursive: true });
}

async function succeeds(command: string): Promise<boolean> {
  return (await outcomeOf(isolated(["/bin/sh", "-c", command]))).exitCode === 0;
}

async function capture({ name, before, command, keep }: Scenario): Promise<Datagram[]> {
  const trace = join(folder, name);
  const strace = `strace -e trace=sendto,sendmsg,recvfrom,recvmsg -e read=all -e write=all -o ${trace}`;
  // Without the link-local address that comes after a while, what a dump shows does not depend on time.
  const quiet = "sysctl -qw net.ipv6.conf.default.addr_gen_mode=1";
  const script = before === "" ? quiet : `${quiet} && ${before}`;
  // The command itself may be one that the kernel refuses.
  const outcome = await outcomeOf(
    isolated(["/bin/sh", "-c", `${script} && { ${strace} ${command}; true; }`]),
  );
  if (outcome.exitCode !== 0) throw new Error(`${name}: ${outcome.stderr}`);
  const datagrams = kept(parseTrace(readFileSync(trace, "utf8")), keep);
  if (datagrams.length === 0) throw new Error(`${name}: no such request was sent`);
  return datagrams;
}

/** A request with all that comes before the next one is an exchange. */
function kept(datagrams: readonly Datagram[], keep: Scenario["keep"]): Datagram[] {
  const exchanges: Datagram[][] = [];
  for (const datagram of datagrams) {
    if (datagram.to === "kernel") exchanges.push([]);
    exchanges.at(-1)?.push(datagram);
  }
  if (keep === "last") return exchanges.at(-1) ?? [];
  return exchanges.filter(([first]) => first !== undefined && isDump(first, keep.dump)).flat();
}

function isDump(datagram: Datagram, type: number): boolean {
  const [request] = decodeMessages(withoutRest(datagram.bytes));
  return request?.type === type && (request.flags & flag.dump) === flag.dump;
}

/** Calls begin at a line's start; the bytes follow as " | 00000  20 00 … 00  00 …  text", 16 a line. */
function parseTrace(trace: string): Datagram[] {
  const datagrams: { to: Datagram["to"]; hex: string }[] = [];
  for (const line of trace.split("\n")) {
    if (line.startsWith("send")) datagrams.push({ to: "kernel", hex: "" });
    else if (line.startsWith("recv")) datagrams.push({ to: "tool", hex: "" });
    else if (line.startsWith(" | ")) {
      const last = datagrams.at(-1);
      if (last !== undefined) last.hex += line.slice(10, 59).replaceAll(" ", "");
    }
  }
  // A call without bytes only asked for the length of the next datagram.
  return datagrams
    .filter(({ hex }) => hex !== "")
    .map(({ to, hex }) => ({ to, bytes: Uint8Array.fromHex(hex) }));
}
