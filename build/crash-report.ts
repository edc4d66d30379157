/**
 * What the runtime says when it crashes, mostly because the system refuses it what it needs: a report that sends the user
 * to Bun's makers, with a link that holds the trace. They cannot help, so the texts say where help is, and the link has no
 * address. See docs/decisions/0029-crash-report.md.
 */
import { notFound, occurrences, type Patch } from "./patch.ts";

const DECISION = "0029-crash-report.md";

const REQUEST =
  "\n\nTo send a redacted crash report to Bun's team,\nplease file a GitHub issue using the link below:\n\n";

/** What takes the place of a text, at most as long as it. */
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
  // Before the version and the trace, which stay.
  { text: "https://bun.report", instead: "runtime trace code", times: 1 },
];

/** Replaces the texts. @throws Error when one is not there, or not as often as it was. */
export const crashReportPatches = (program: Buffer): Patch[] =>
  TEXTS.flatMap(({ text, instead, times }) => {
    const found = occurrences(program, Buffer.from(text, "latin1"));
    const end = text.endsWith("\n\n") ? "\n\n" : "";
    const bytes = Buffer.from(instead.padEnd(text.length - end.length) + end, "latin1");
    if (found.length !== times)
      throw notFound(found.length, `${times}`, `replace "${text.slice(0, 18)}"`, DECISION);
    return found.map((offset) => ({ offset, bytes }));
  });
