/**
 * Golden files: the datagrams of one run of a tool, as it and the kernel exchanged them. Lines with "#" tell what was
 * run, ">" begins a datagram to the kernel, "<" one from it; its bytes follow in hexadecimal.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMessages, type Message } from "../../src/netlink/message.ts";

export interface Datagram {
  readonly to: "kernel" | "tool";
  readonly bytes: Uint8Array;
}

export interface Golden {
  readonly name: string;
  /** The command as it was typed. */
  readonly command: string;
  readonly datagrams: readonly Datagram[];
}

const BYTES_A_LINE = 32;

export function formatGolden(comments: readonly string[], datagrams: readonly Datagram[]): string {
  const lines = comments.map((comment) => `# ${comment}`);
  for (const { to, bytes } of datagrams) {
    lines.push(to === "kernel" ? ">" : "<");
    for (let at = 0; at < bytes.length; at += BYTES_A_LINE)
      lines.push(bytes.subarray(at, at + BYTES_A_LINE).toHex());
  }
  return `${lines.join("\n")}\n`;
}

export function parseGolden(name: string, text: string): Golden {
  const lines = text.split("\n");
  const datagrams: { to: Datagram["to"]; hex: string }[] = [];
  for (const line of lines) {
    if (line === ">" || line === "<") datagrams.push({ to: line === ">" ? "kernel" : "tool", hex: "" });
    else if (!line.startsWith("#")) {
      const last = datagrams.at(-1);
      if (last !== undefined) last.hex += line;
      else if (line !== "") throw new Error(`${name}: bytes before the first datagram`);
    }
  }
  if (datagrams.length === 0) throw new Error(`${name}: no datagram`);
  return {
    name,
    command: (lines[0] ?? "").slice(2),
    datagrams: datagrams.map(({ to, hex }) => ({ to, bytes: Uint8Array.fromHex(hex) })),
  };
}

const folderOf = (protocol: string): string => join(import.meta.dir, protocol);

export const readGolden = (protocol: string, name: string): Golden =>
  parseGolden(name, readFileSync(join(folderOf(protocol), `${name}.hex`), "utf8"));

/** All goldens of a protocol: a folder beside this file. @throws Error when there are none. */
export function readGoldens(protocol: string): Golden[] {
  const names = readdirSync(folderOf(protocol)).filter((name) => name.endsWith(".hex"));
  if (names.length === 0) throw new Error(`no goldens of ${protocol}`);
  return names.sort().map((name) => readGolden(protocol, name.slice(0, -".hex".length)));
}

/**
 * The tool's messages to the kernel. Some of its requests are followed by the rest of its buffer, all zeros, which the
 * kernel does not read: a length of 0 ends a datagram.
 */
export const requestsOf = (golden: Golden): Message[] => messages(golden, "kernel");

/** The kernel's messages to the tool. */
export const repliesOf = (golden: Golden): Message[] => messages(golden, "tool");

const messages = (golden: Golden, to: Datagram["to"]): Message[] =>
  golden.datagrams
    .filter((datagram) => datagram.to === to)
    .flatMap((datagram) => decodeMessages(withoutRest(datagram.bytes)));

/** A datagram up to the first message that claims a length of 0. */
export function withoutRest(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length === 0) return bytes.subarray(0, at);
    at += (length + 3) & ~3;
  }
  return bytes;
}
