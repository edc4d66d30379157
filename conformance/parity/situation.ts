/** Questions about a step that exceptions ask. */
import type { JsonRecord } from "./case.ts";
import type { ComparedStep } from "./comparison.ts";

/** Whether the step is a call with this command. */
export const isCall = ({ step }: ComparedStep, command?: string): boolean =>
  step.kind === "call" && (command === undefined || step.command === command);

/** The call's configuration; undefined for other steps and for text that is none. */
export const configOf = ({ step }: ComparedStep): JsonRecord | undefined =>
  step.kind === "call" && typeof step.stdin === "object" ? step.stdin : undefined;

export function versionOf(compared: ComparedStep): string {
  const keys = Object.entries(configOf(compared) ?? {});
  return String(keys.find(([key]) => key.toLowerCase() === "cniversion")?.[1] || "0.1.0");
}

/** Whether the step is one of a case whose name matches. */
export const inCases =
  (names: RegExp) =>
  ({ parityCase }: ComparedStep): boolean =>
    names.test(parityCase.name);
