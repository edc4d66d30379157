/**
 * Goldens: the datagrams of one run of a tool, as it and the kernel exchanged them. A file has all of a protocol, one
 * after the other: "# VERSIONS" of tool and kernel where they change, "NAME: COMMAND", and then a line for each
 * datagram, in hexadecimal after ">" to the kernel or "<" from it.
 */
import { readFileSync } from "node:fs";
import { decodeMessages, type Message } from "../../src/netlink/message.ts";

export interface Datagram {
  readonly to: "kernel" | "tool";
  readonly bytes: Uint8Array;
}

export interface Golden {
  readonly name: string;
  /** As it was typed. */
  readonly command: string;
  readonly versions: string;
  readonly datagrams: readonly Datagram[];
}

export type Protocol = "rtnetlink" | "nftables";

export const fileOf = (protocol: Protocol): string => `${import.meta.dir}/${protocol}.golden`;

export function formatGoldens(goldens: readonly Golden[]): string {
  const lines = goldens.flatMap(({ name, command, versions, datagrams }, index) => [
    ...(versions === goldens[index - 1]?.versions ? [] : [`# ${versions}`]),
    `${name}: ${command}`,
    ...datagrams.map(({ to, bytes }) => `${to === "kernel" ? ">" : "<"} ${bytes.toHex()}`),
  ]);
  return `${lines.join("\n")}\n`;
}

/** All goldens of a protocol. @throws Error for one without a datagram */
export function readGoldens(protocol: Protocol): Golden[] {
  const goldens: (Golden & { datagrams: Datagram[] })[] = [];
  let versions = "";
  for (const line of readFileSync(fileOf(protocol), "utf8").trimEnd().split("\n")) {
    const [, to, hex = ""] = /^([<>]) (.*)$/.exec(line) ?? [];
    const [, name = "", command = ""] = /^([\w-]+): (.*)$/.exec(line) ?? [];
    if (line.startsWith("# ")) versions = line.slice(2);
    else if (to === undefined) goldens.push({ name, command, versions, datagrams: [] });
    else
      goldens.at(-1)?.datagrams.push({ to: to === ">" ? "kernel" : "tool", bytes: Uint8Array.fromHex(hex) });
  }
  for (const { name, datagrams } of goldens)
    if (name === "" || datagrams.length === 0) throw new Error(`${protocol}: no datagram in "${name}"`);
  return goldens;
}

/** @throws Error when there is none of that name */
export function readGolden(protocol: Protocol, name: string): Golden {
  const found = readGoldens(protocol).find((golden) => golden.name === name);
  if (found === undefined) throw new Error(`no golden ${name} of ${protocol}`);
  return found;
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
