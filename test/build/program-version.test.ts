/** O1: `bridgehead --version` names the commit of the sources, and equal sources give an equal text. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commitOf, versionFlags } from "../../build/program-version.ts";
import { outputOf } from "../support/command.ts";

const root = mkdtempSync(join(tmpdir(), "commit-"));
afterAll(() => rmSync(root, { recursive: true }));

test("O1: the commit is that of the folder's own repository, and tells of changes", async () => {
  expect(commitOf(root)).toBe("unknown");
  const git = (...words: string[]) => {
    const who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    return outputOf(["git", "-C", root, ...who, ...words]);
  };
  writeFileSync(join(root, "file"), "1");
  await git("init", "-q");
  expect(commitOf(root)).toBe("unknown");
  await git("add", "file");
  await git("commit", "-qm", "one");
  const commit = (await git("rev-parse", "HEAD")).trim();
  expect(commitOf(root)).toBe(commit);
  // What a build leaves behind is no change.
  writeFileSync(join(root, "other"), "");
  expect(versionFlags(root, "Bun 1.0.0").slice(1)).toEqual([
    `--define=BRIDGEHEAD_COMMIT="${commit}"`,
    '--define=BRIDGEHEAD_ENGINE="Bun 1.0.0"',
  ]);
  writeFileSync(join(root, "file"), "2");
  expect(commitOf(root)).toBe(`${commit} with changes`);
  mkdirSync(join(root, "unpacked"));
  expect(commitOf(join(root, "unpacked"))).toBe("unknown");
});
