/** The console's language: what counts as a report, and what does not. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { GuestConsole } from "./console.ts";

const XML = '<testsuites tests="1"></testsuites>\n'.repeat(40);
const base64 = Buffer.from(XML).toString("base64").replace(/.{76}/g, "$&\n");
const digest = createHash("sha256").update(XML).digest("hex");

const START = "@@T start\n";
const REPORT = `@@T report 1 ${digest}\n${base64}\n`;
const END = "@@T end\n";

/** A console that heard `text` as a terminal sends it, in pieces of `size`. */
function hearing(text: string, size = 7): GuestConsole {
  const console = new GuestConsole("T");
  const sent = text.replaceAll("\n", "\r\n");
  for (let at = 0; at < sent.length; at += size) console.add(sent.slice(at, at + size));
  return console;
}

describe("the guest's console", () => {
  test.each([1, 2, 7, 100_000])("a whole report, in pieces of %d", (size) => {
    const console = hearing(`Linux version 6\n${START}talk\n${REPORT}${END}`, size);
    expect(console.report()).toEqual({ exitCode: 1, xml: XML });
    expect([console.isOver, console.hasStarted, console.talk, console.panic]).toEqual([
      true,
      true,
      "talk\n",
      undefined,
    ]);
  });

  test("a mark after a line that has no end", () =>
    expect(hearing(`${START}talk${REPORT}${END}`).report()).toEqual({ exitCode: 1, xml: XML }));

  test("bun test without a report", () =>
    expect(hearing(`${START}@@T report 134 none\n${END}`).report()).toEqual({
      exitCode: 134,
      xml: undefined,
    }));

  test.each([
    ["nothing", "", "gave no report"],
    ["a boot alone", "Linux version 6\n", "gave no report"],
    ["no report", `${START}talk\n`, "gave no report"],
    ["the end mark of another guest", `${START}${REPORT}@@U end\n`, "breaks off"],
    ["no end mark", `${START}${REPORT}`, "breaks off"],
    ["an end mark that breaks off", `${START}${REPORT}@@T en`, "breaks off"],
    ["no exit code", `${START}@@T report  ${digest}\n${base64}\n${END}`, "begins with"],
    ["a line lost", `${START}${REPORT.replace(/\n.{76}\n/, "\n")}${END}`, "damaged"],
    ["the kernel's word in between", `${START}${REPORT.replace(/\n(.{30})/, "\noops\n$1")}${END}`, "damaged"],
  ])("no report: %s", (_what, text, complaint) => {
    const console = hearing(text);
    expect(() => console.report()).toThrow(complaint);
  });

  test("a kernel that panics has no more to say", () => {
    const console = hearing(`${START}Kernel panic - not syncing: Attempted to kill init!\nCPU: 0\n`);
    expect([console.isOver, console.panic]).toEqual([
      true,
      "Kernel panic - not syncing: Attempted to kill init!",
    ]);
    expect(hearing(START).isOver).toBe(false);
  });
});
