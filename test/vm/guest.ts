/** Boots a kernel for one test file, listens to it, and ends it: after its end mark, its panic, or the deadline. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { hearOut } from "../support/hearing.ts";
import { timedOut } from "../support/limits.ts";
import { type FileRun, judge, PROJECT } from "../support/test-files.ts";
import { GuestConsole } from "./console.ts";

/** A kernel that can be booted on this machine's own files. */
export interface Kernel {
  readonly name: string;
  /** Folder that has the modules in a folder named as the release. */
  readonly modules: string;
  /**
   * The command whose standard output is the guest's console. It runs `init` as the guest's process 1, on the
   * machine's root file system, which it must not let anything write to. `folder` is empty and its own.
   */
  command(init: readonly string[], folder: string): string[];
}

export interface GuestOptions {
  /** Milliseconds for a test that names no limit of its own. */
  readonly testTimeout: number;
  /** Milliseconds for the whole guest. */
  readonly timeout: number;
  /** For the tests. */
  readonly env: Readonly<Record<string, string>>;
  /** Folders that the tests must see, next to this project and Bun. */
  readonly visible: readonly string[];
}

/** Runs `file` (relative to the project) in a guest of its own. Never throws for anything that the guest does. */
export async function runInGuest(kernel: Kernel, file: string, options: GuestOptions): Promise<FileRun> {
  const folder = mkdtempSync(join(tmpdir(), "bridgehead-guest-"));
  const cleanUp = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", cleanUp);
  const token = crypto.randomUUID();
  const start = performance.now();
  try {
    mkdirSync(join(folder, "kernel"));
    writeFileSync(join(folder, "settings"), settings(kernel, token, file, options));
    const init = [join(import.meta.dir, "guest.sh"), "scratch-host", folder];
    const console = new GuestConsole(token);
    const ending = await converse(kernel.command(init, join(folder, "kernel")), console, options.timeout);
    const { cases, trouble } = hear(console, file, ending);
    const output = console.talk;
    return { files: [file], cases, trouble, output, seconds: (performance.now() - start) / 1000 };
  } finally {
    cleanUp();
    process.off("exit", cleanUp);
  }
}

/** The shell variables that guest.sh reads. */
function settings(kernel: Kernel, token: string, file: string, options: GuestOptions): string {
  const visible = [PROJECT, dirname(process.execPath), ...options.visible];
  const variables = {
    TOKEN: token,
    FILE: file,
    PROJECT,
    BUN: process.execPath,
    MODULES: kernel.modules,
    VISIBLE: visible.join("\n"),
    TEST_TIMEOUT: String(options.testTimeout),
  };
  const exported = {
    HOME: "/tmp",
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin",
    ...options.env,
  };
  const line = ([name, value]: [string, string]) => `${name}='${value.replaceAll("'", "'\\''")}'\n`;
  return [
    ...Object.entries(variables).map(line),
    ...Object.entries(exported).map((entry) => `export ${line(entry)}`),
  ].join("");
}

/**
 * Milliseconds for what a guest that ended has still in the pipe, and for its processes to let go of it. One that got
 * away could keep it open for ever.
 */
const LAST_WORDS = 2000;

/** Listens until all is said. Returns how the guest came to its end, for people. */
async function converse(command: string[], console: GuestConsole, timeout: number): Promise<string> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: process.env });
  const hear = (text: string) => {
    console.add(text);
    if (console.isOver) child.kill("SIGKILL");
  };
  const limit = await hearOut(child, hear, { total: timeout, lastWords: LAST_WORDS });
  if (limit !== undefined) return timedOut(limit);
  if (console.panic !== undefined) return console.panic;
  return `ended by ${child.signalCode ?? `itself with exit code ${child.exitCode}`}`;
}

function hear(console: GuestConsole, file: string, ending: string): Pick<FileRun, "cases" | "trouble"> {
  const when = console.hasStarted ? "" : " before its tests began";
  try {
    const { exitCode, xml } = console.report();
    return judge([file], xml, exitCode);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return { cases: [], trouble: [`${file}: ${cause}${when}: ${ending}`] };
  }
}
