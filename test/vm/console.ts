/**
 * What a guest says on its console (guest.sh): lines that begin with "@@", the guest's token and a word. Everything
 * else is talk of the kernel and of the tests, kept for people.
 *
 *   @@TOKEN start                          booted, the tests begin
 *   @@TOKEN report EXIT-CODE SHA256|none   bun test has ended; its report follows in base64
 *   @@TOKEN end                            all has been said
 */
import { createHash } from "node:crypto";

export interface GuestReport {
  /** Of bun test. */
  readonly exitCode: number;
  /** JUnit; undefined when bun test wrote none. */
  readonly xml: string | undefined;
}

export class GuestConsole {
  readonly #mark: string;
  #text = "";

  /** `token` is random: no test can speak for its guest by accident. */
  constructor(token: string) {
    this.#mark = `@@${token} `;
  }

  /** Takes the next piece of output, cut anywhere. */
  add(piece: string): void {
    // A terminal ends lines with CR LF.
    this.#text += piece.replaceAll("\r", "");
  }

  /** Whether the guest will say no more that counts: it came to its end, or its kernel did. */
  get isOver(): boolean {
    return this.#text.includes(`${this.#mark}end\n`) || this.panic !== undefined;
  }

  /** The kernel's last words, if it panicked. */
  get panic(): string | undefined {
    return /Kernel panic[^\n]*/.exec(this.#text)?.[0];
  }

  get hasStarted(): boolean {
    return this.#text.includes(`${this.#mark}start\n`);
  }

  /** For people: what the tests printed, or all since the boot when they never began. */
  get talk(): string {
    const [boot = "", tests] = this.#text.split(`${this.#mark}start\n`);
    return tests === undefined ? boot : (tests.split(`${this.#mark}report `)[0] ?? "");
  }

  /** @throws Error when the report is not there from its first line to the end mark, byte for byte. */
  report(): GuestReport {
    const [, rest] = this.#text.split(`${this.#mark}report `);
    if (rest === undefined) throw new Error("the guest gave no report");
    const [head = "", ...lines] = rest.split("\n");
    const end = lines.indexOf(`${this.#mark}end`);
    if (end === -1) throw new Error("the guest's report breaks off");
    const [exitCode = "", digest] = head.split(" ");
    if (!/^\d+$/.test(exitCode)) throw new Error(`the guest's report begins with ${JSON.stringify(head)}`);
    if (digest === "none") return { exitCode: Number(exitCode), xml: undefined };
    const bytes = Buffer.from(lines.slice(0, end).join(""), "base64");
    if (createHash("sha256").update(bytes).digest("hex") !== digest) {
      throw new Error("the guest's report came through damaged");
    }
    return { exitCode: Number(exitCode), xml: bytes.toString("utf8") };
  }
}
