/** O2: what changes the host does so only with --yes, or if the person at the terminal agrees. */
import { describe, expect, test } from "bun:test";
import { consents } from "../../src/operator/consent.ts";
import { recordingTerminal } from "./recording.ts";

describe("O2: a change", () => {
  test.each([
    ["without a word in a pipe", {}, undefined, false, "nothing was changed; --yes does it\n"],
    ["with --yes", { yes: true }, undefined, true, ""],
    ["with --dry-run", { dryRun: true }, undefined, false, "nothing was changed; --yes does it\n"],
    [
      "with --dry-run at a terminal, which is not asked",
      { dryRun: true },
      true,
      false,
      "nothing was changed; --yes does it\n",
    ],
    ["with an answer of yes", {}, true, true, "free 2 leases? [y/N] "],
    ["with an answer of no", {}, false, false, "free 2 leases? [y/N] nothing was changed\n"],
  ])("%s", (_, options, answer, may, words) => {
    const { said, terminal } = recordingTerminal(answer === undefined ? {} : { answer });
    expect(consents({ options, terminal }, "free 2 leases?")).toBe(may);
    expect(said.stderr).toBe(words);
  });

  test("with --yes and --dry-run is wrong use", () => {
    const { terminal } = recordingTerminal();
    expect(() => consents({ options: { yes: true, dryRun: true }, terminal }, "?")).toThrow("contradict");
  });
});
