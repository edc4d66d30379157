/**
 * Traps in front of the programs that a plugin runs as children. They stand where the plugin looks first, and run the
 * real program, under strace when told so. Each worker has mounts of its own, so nobody else meets them.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { outputOf } from "../support/command.ts";
import type { Scenario } from "./scenario.ts";

/** Searched before the system's other folders. */
const FOLDER = "/usr/local/sbin";
const OWN = `${FOLDER}/.faults`;
const ARMED = `${OWN}/armed`;
const TRACES = `${OWN}/traces`;

/** CNI_PATH while the IPAM plugin is trapped. */
export const TRAPPED_CNI_PATH = `${OWN}/cni`;

/** Folder for traces and the like, in the worker's own mounts. */
export const WORK = OWN;

export async function mountTraps(): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  await outputOf(["mount", "-n", "-t", "tmpfs", "tmpfs", FOLDER]);
  for (const folder of [OWN, ARMED, TRACES, TRAPPED_CNI_PATH]) mkdirSync(folder, { recursive: true });
}

/** Sets the traps of a scenario, and takes away those of another. */
export function setTraps({ children }: Scenario, binaries: string): void {
  for (const folder of [FOLDER, TRAPPED_CNI_PATH, ARMED, TRACES]) {
    for (const name of readdirSync(folder))
      if (name !== ".faults") rmSync(`${folder}/${name}`, { recursive: true });
  }
  if (children.includes("host-local")) trap(TRAPPED_CNI_PATH, "host-local", `${binaries}/host-local`);
  if (!children.includes("iptables")) return;
  for (const family of ["iptables", "ip6tables"]) {
    for (const name of [family, `${family}-restore`, `${family}-save`]) {
      const legacy = name.replace("tables", "tables-legacy");
      trap(FOLDER, name, `/usr/sbin/${legacy}`);
      trap(FOLDER, legacy, `/usr/sbin/${legacy}`);
    }
  }
}

/** An armed trap disarms itself, so that only one call of the program is disturbed. */
function trap(folder: string, name: string, target: string): void {
  const script = `#!/bin/sh
if [ -e ${OWN}/recording ]; then exec strace -f -y -s 64 -o ${TRACES}/${name}.$$ ${target} "$@"; fi
if mv ${ARMED}/${name} ${ARMED}/${name}.$$ 2>/dev/null; then
  read -r options <${ARMED}/${name}.$$
  exec strace -f -y -s 64 -o ${TRACES}/${name}.$$ $options ${target} "$@"
fi
exec ${target} "$@"
`;
  writeFileSync(`${folder}/${name}`, script);
  chmodSync(`${folder}/${name}`, 0o755);
}

export const startRecording = (): void => writeFileSync(`${OWN}/recording`, "");
export const stopRecording = (): void => rmSync(`${OWN}/recording`, { force: true });

/** The next run of the child gets these options of strace. */
export const arm = (child: string, options: readonly string[]): void =>
  writeFileSync(`${ARMED}/${child}`, `${options.join(" ")}\n`);

/** Traces of children by program, the oldest first; they are taken away. */
export function takeTraces(): { child: string; trace: string }[] {
  for (const name of readdirSync(ARMED)) rmSync(`${ARMED}/${name}`);
  return readdirSync(TRACES)
    .sort((a, b) => Number(a.split(".")[1]) - Number(b.split(".")[1]))
    .map((name) => {
      const path = `${TRACES}/${name}`;
      const trace = existsSync(path) ? readFileSync(path, "utf8") : "";
      rmSync(path);
      return { child: name.slice(0, name.lastIndexOf(".")), trace };
    });
}
