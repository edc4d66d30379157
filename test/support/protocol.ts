/** What the protocol demands of how a call of a plugin ends (rules A16 to A21). */
import type { Outcome } from "./command.ts";

/** The error object of a failed call; undefined when it printed something else. */
export function errorObject(stdout: string): { code: number; msg: string } | undefined {
  const { code, msg, cniVersion, ips } = objectOf(stdout) ?? {};
  if (typeof code !== "number" || code === 0 || typeof msg !== "string" || msg === "") return undefined;
  return typeof cniVersion === "string" && ips === undefined ? { code, msg } : undefined;
}

/** The one JSON object that a text is; undefined when it is anything else. */
export function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What is wrong with an end: exit code and output that disagree, an error that is not one object, a stack trace, an end
 * by a signal. VERSION and a call without a command are not judged here.
 */
export function protocolProblems(
  command: string,
  { exitCode, stdout, stderr }: Pick<Outcome, "stdout" | "stderr"> & { readonly exitCode: number | null },
): string[] {
  const problems: string[] = [];
  if (exitCode !== 0 && exitCode !== 1) problems.push(`exit code ${exitCode}`);
  if (/^\s+at .*[:(]|panic|Bun v\d/m.test(stdout + stderr)) problems.push("a stack trace");
  if (exitCode === 0) {
    const output = objectOf(stdout);
    const isResult = output !== undefined && !("code" in output);
    if (command === "ADD" && !isResult) problems.push("success without a result");
    if (!["ADD", "VERSION"].includes(command) && stdout !== "") problems.push("success with output");
  } else if (errorObject(stdout) === undefined) problems.push("failure without an error object");
  return problems;
}
