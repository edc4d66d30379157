/** What every call owes its caller, whatever it was given. */
import { readdirSync } from "node:fs";

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: string | number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

/** Longest time for one call: waits for locks and addresses included. */
const LONGEST = 25_000;

/** What is wrong with how a call ended; undefined when nothing is. */
export function problemOf(ended: Ended, command: string): string | undefined {
  const { exitCode, signal, stdout, stderr, milliseconds } = ended;
  if (milliseconds > LONGEST) return `took ${Math.round(milliseconds)} ms`;
  if (exitCode !== 0 && exitCode !== 1) return `exit code ${exitCode}, signal ${signal}: ${stdout}${stderr}`;
  if (/\n\s+at \S+ \(|Error: .*\n\s+at /.test(stdout + stderr)) return `a stack trace: ${stdout}${stderr}`;
  let document: unknown;
  try {
    document = stdout === "" ? undefined : JSON.parse(stdout);
  } catch {
    return `exit code ${exitCode} with what is no JSON: ${stdout}`;
  }
  const isError =
    typeof document === "object" && document !== null && "code" in document && "msg" in document;
  if (isError !== (exitCode === 1)) return `exit code ${exitCode} with ${stdout}`;
  if (exitCode === 0 && command === "ADD" && document === undefined) return "an ADD without a result";
  return undefined;
}

/** Leases and links: what a refused call must leave alone. Bridges and folders may stay. */
export function traces(leases: string): string {
  const links = readdirSync("/sys/class/net").filter((name) => name.startsWith("veth"));
  const files = readdirSync(leases, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\/[0-9a-f.:]+$/.test(name),
  );
  return JSON.stringify([...links, ...files].sort());
}
