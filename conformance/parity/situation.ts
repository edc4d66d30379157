/** Questions about a step that exceptions ask. */
import { type JsonRecord, LATEST } from "./case.ts";
import type { ComparedStep } from "./comparison.ts";

/** Whether the step is a call with this command. */
export const isCall = ({ step }: ComparedStep, command?: string): boolean =>
  step.kind === "call" && (command === undefined || step.command === command);

/** The call's configuration; undefined for other steps and for text that is none. */
export const configOf = ({ step }: ComparedStep): JsonRecord | undefined =>
  step.kind === "call" && typeof step.stdin === "object" ? step.stdin : undefined;

export const versionOf = (compared: ComparedStep): string => String(configOf(compared)?.cniVersion || "0.1.0");

export { LATEST };
