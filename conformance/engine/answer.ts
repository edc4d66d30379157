/** What a call gave, as a runtime reads it. */
import type { Outcome } from "../../test/support/command.ts";
import { PluginOutcome } from "../../test/support/plugin-call.ts";
import type { JsonRecord, PluginName } from "./network.ts";

/** What was asked. */
export interface Question {
  readonly label: string;
  readonly plugin: PluginName;
  readonly command: string | undefined;
  readonly stdin: string;
  readonly netns: string;
  readonly ifname: string;
}

export interface ErrorObject {
  readonly cniVersion?: unknown;
  readonly code?: unknown;
  readonly msg?: unknown;
  readonly details?: unknown;
}

export class Answer extends PluginOutcome {
  readonly question: Question;
  /** The one JSON object on stdout; undefined when there is anything else, or nothing. */
  readonly document: JsonRecord | undefined;

  constructor(question: Question, { exitCode, stdout, stderr }: Outcome) {
    super(exitCode, stdout, stderr);
    this.question = question;
    this.document = objectIn(stdout);
  }

  get error(): ErrorObject {
    return this.exitCode === 0 ? {} : (this.document ?? {});
  }

  /** Message and details as one text; empty where there is no error. */
  get message(): string {
    return messageOf(this.error);
  }

  /** In a line of a report. */
  override toString(): string {
    const printed = this.stdout.replace(/\s+/g, " ").trim();
    const text = printed.length > 300 ? `${printed.slice(0, 300)}…` : printed;
    return `exit code ${this.exitCode}${text === "" ? "" : `, ${text}`}`;
  }
}

/** Message and details of an error object as one text. */
export const messageOf = ({ msg = "", details = "" }: ErrorObject): string =>
  details === "" ? String(msg) : `${msg}: ${details}`;

/** The object that a text is, if it is one and nothing else. */
export function objectIn(text: string): JsonRecord | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as JsonRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** The version of a configuration as the rules have it: absent and empty mean 0.1.0 (A11). */
export function versionIn(stdin: string): string {
  const keys = Object.entries(objectIn(stdin) ?? {});
  return String(keys.find(([key]) => key.toLowerCase() === "cniversion")?.[1] || "0.1.0");
}
