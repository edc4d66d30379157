/** R4: a release tells what has changed. */
import { expect, test } from "bun:test";
import { changelogSection } from "../../build/changelog.ts";

test("R4: the section of a version, without its neighbours", () => {
  const text =
    "# Changelog\n\n## [Unreleased]\n\nnew\n\n## [1.1.0] - 2026-01-01\n\n### Added\n\n- a\n\n## [1.0.0]\n\n- b\n";
  expect(changelogSection(text, "1.1.0")).toBe("### Added\n\n- a");
  expect(changelogSection(text, "1.0.0")).toBe("- b");
  expect(changelogSection(text, "2.0.0")).toBe("new");
  expect(() => changelogSection("# Changelog\n", "2.0.0")).toThrow('neither a section "## [2.0.0]" nor');
});
