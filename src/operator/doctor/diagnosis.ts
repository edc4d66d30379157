/** The rows that doctor prints: what was looked at, and what was found there (O13). */
import { messageOf } from "../../sys/errno.ts";
import { type Code, levelOf } from "../finding.ts";
import { step } from "../progress.ts";

/** One row. */
export interface DoctorRow {
  readonly state: "ok" | "warn" | "fail";
  readonly code?: Code;
  /** What was looked at, as in "forwarding". */
  readonly check: string;
  /** What it concerns: a network, an attachment, a file. */
  readonly object: string;
  /** One sentence. */
  readonly message: string;
  /** A command, or a few words. */
  readonly remedy?: string;
}

/** A finding without the words for its check. */
export interface Found {
  readonly code: Code;
  readonly object: string;
  readonly message: string;
  readonly remedy: string;
}

/** Collects rows, check by check. A check that cannot be made is named, and stops no other. */
export class Diagnosis {
  readonly rows: DoctorRow[] = [];
  /** What went wrong with the look itself. */
  readonly unknown: string[] = [];

  /** Makes a check of an object. Without findings it is fine; undefined says that there is nothing to check. */
  async check(
    check: string,
    object: string,
    fine: string,
    look: () => readonly Found[] | undefined | Promise<readonly Found[] | undefined>,
  ): Promise<void> {
    step(`checking ${object}: ${check}`);
    try {
      const found = await look();
      if (found === undefined) return;
      if (found.length === 0) this.rows.push({ state: "ok", check, object, message: fine });
      for (const { code, ...rest } of found) {
        const level = levelOf(code);
        this.rows.push({ state: level === "note" ? "ok" : level, code, check, ...rest });
      }
    } catch (error) {
      this.unknown.push(`cannot check ${check} of ${object}: ${messageOf(error)}`);
    }
  }
}
