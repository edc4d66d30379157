/**
 * Replaces the crash report of the runtime. It crashes mostly when the system refuses it a resource, and sends the user to
 * Bun's makers, who cannot help, with a link that holds the trace. The new texts name the page that helps, and the link
 * loses its address. See docs/decisions/0029-crash-report.md.
 */
import { notFound, occurrences, type Patch } from "./patch.ts";

const DECISION = "0029-crash-report.md";

const REQUEST =
  "\n\nTo send a redacted crash report to Bun's team,\nplease file a GitHub issue using the link below:\n\n";

/** Each text and its replacement, which must not be longer. */
const TEXTS: readonly { readonly text: string; readonly instead: string; readonly times: number }[] = [
  {
    text: `Bun has crashed. This indicates a bug in Bun, not your code.${REQUEST}`,
    instead:
      "Bridgehead ended before it could answer. The system may have refused it memory,\n" +
      '/proc, a thread or files: see "Surroundings" in docs/security.md.',
    // For panics of the runtime, and for signals and abort(3).
    times: 2,
  },
  {
    text: `Bun has run out of memory.${REQUEST}`,
    instead: 'Bridgehead has run out of memory: see "Surroundings" in docs/security.md\nfor what it needs.',
    times: 1,
  },
  // The version and the trace follow it and stay.
  { text: "https://bun.report", instead: "runtime trace code", times: 1 },
];

/** Replaces the texts. @throws Error when one is not found the expected number of times */
export const crashReportPatches = (program: Buffer): Patch[] =>
  TEXTS.flatMap(({ text, instead, times }) => {
    const found = occurrences(program, Buffer.from(text, "latin1"));
    const end = text.endsWith("\n\n") ? "\n\n" : "";
    const bytes = Buffer.from(instead.padEnd(text.length - end.length) + end, "latin1");
    if (found.length !== times)
      throw notFound(found.length, `${times}`, `replace "${text.slice(0, 18)}"`, DECISION);
    return found.map((offset) => ({ offset, bytes }));
  });
