/** The part of CHANGELOG.md that tells of one version. */

/**
 * The section of a version, or while it has none, of what is not released yet; without its heading.
 * @throws Error when there is neither
 */
export function changelogSection(changelog: string, version: string): string {
  const sections = changelog.split(/^(?=## )/m);
  const section =
    sections.find((each) => each.startsWith(`## [${version}]`)) ??
    sections.find((each) => each.startsWith("## [Unreleased]"));
  if (section === undefined)
    throw new Error(`CHANGELOG.md has neither a section "## [${version}]" nor "## [Unreleased]"`);
  return section.slice(section.indexOf("\n") + 1).trim();
}
