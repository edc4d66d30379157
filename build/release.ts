/**
 * `npm run build -- --all`: a tarball of each file for each Linux target, and SHA256SUMS. `npm run release`: those and all else
 * that belongs to a tag: packages for Debian and for systems with RPM, container images, the list of what the files contain
 * (SBOM), the notices of third parties, and what has changed. Equal sources give equal bytes.
 */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { version } from "../package.json";
import { lineOfSums, writeTar } from "./archive.ts";
import { bunProgram, TARGETS } from "./bun-programs.ts";
import { changelogSection } from "./changelog.ts";
import { compileCompact } from "./compact.ts";
import { compile, lineAbout, PROGRAM, root, shown } from "./compile.ts";
import { writeDeb } from "./deb.ts";
import { writeImages } from "./image.ts";
import { operatorPackage, pluginsPackage } from "./package-tree.ts";
import { writeRpm } from "./rpm.ts";
import { bunParts, compactParts, sbomOf } from "./sbom.ts";
import { pack } from "./tarball.ts";
import { compactTargets, missingFor } from "./toolchain.ts";

/** Writes tarballs, or with `everything` a whole release, into `folder`, which is emptied first. Yields a line about each file. */
export async function* release(folder: string, everything: boolean): AsyncGenerator<string> {
  const missing = missingTools(everything);
  if (missing.length > 0) throw new Error(missing.join("\n"));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const stage = await mkdtemp(join(folder, ".stage-"));
  try {
    yield* writeTarballs(folder, stage);
    if (everything) {
      yield* writePackages(folder, stage);
      yield* writeAllImages(folder, stage);
      yield* writeTexts(folder);
    }
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  const names = (await readdir(folder)).sort();
  const lines = await Promise.all(names.map((name) => lineOfSums(join(folder, name))));
  await writeFile(join(folder, "SHA256SUMS"), lines.join(""));
  yield shown(join(folder, "SHA256SUMS"));
}

/** What this machine lacks, found before hours of work rather than after them. */
function missingTools(everything: boolean): string[] {
  const packages = { "dpkg-deb": "dpkg", rpmbuild: "rpm" };
  const tools = Object.entries(packages).flatMap(([tool, name]) =>
    !everything || Bun.which(tool) !== null
      ? []
      : [`packages need ${tool}; on Debian: apt-get install ${name}`],
  );
  return [...compactTargets(true).flatMap((target) => missingFor(target) ?? []), ...tools];
}

const compactFolder = (target: string): string => `${target}-compact`;

/** Builds all files, which stay in `stage` for what comes next, and packs them. */
async function* writeTarballs(folder: string, stage: string): AsyncGenerator<string> {
  const tarballOf = async (name: string, [about = ""]: readonly string[]): Promise<string> => {
    const tarball = join(folder, `bridgehead-${version}-${name}.tar.gz`);
    await pack(join(stage, name), tarball);
    return lineAbout(tarball, about.split("MiB  ")[1] ?? "");
  };
  for (const target of TARGETS) {
    const flags = [`--target=${target.bun}`, `--compile-executable-path=${await bunProgram(target)}`];
    yield await tarballOf(target.name, await compile(join(stage, target.name), flags));
  }
  for (const target of compactTargets(true)) {
    const name = compactFolder(target.name);
    yield await tarballOf(name, await compileCompact(join(stage, name), target));
  }
}

async function* writePackages(folder: string, stage: string): AsyncGenerator<string> {
  for (const { name } of compactTargets(true)) {
    const packages = [
      pluginsPackage(join(stage, compactFolder(name), PROGRAM), version),
      operatorPackage(join(stage, `${name}-glibc`, PROGRAM), version),
    ];
    for (const each of packages)
      for (const write of [writeDeb, writeRpm])
        yield await lineAbout(await write(folder, each, name), each.summary);
  }
}

async function* writeAllImages(folder: string, stage: string): AsyncGenerator<string> {
  const files = compactTargets(true).map(({ name }) => ({
    target: name,
    file: join(stage, compactFolder(name), PROGRAM),
  }));
  const images = join(stage, "images");
  await Array.fromAsync(writeImages(images, files));
  const layout = join(folder, `bridgehead-${version}-oci.tar`);
  writeTar(join(images, "oci"), ["oci-layout", "index.json", "blobs"], layout);
  yield await lineAbout(layout, "an OCI layout with the images of all processors");
  for (const name of await readdir(images)) {
    if (!name.endsWith(".tar")) continue;
    await rename(join(images, name), join(folder, name));
    yield await lineAbout(join(folder, name), "an image for docker load");
  }
}

async function* writeTexts(folder: string): AsyncGenerator<string> {
  const file = (name: string): string => join(folder, `bridgehead-${version}-${name}`);
  const [own] = compactTargets(false);
  if (own === undefined) throw new Error(`the compact file has no target for ${process.arch}`);
  await writeFile(file("sbom.cdx.json"), sbomOf(compactParts(own), bunParts()));
  yield await lineAbout(file("sbom.cdx.json"), "what the files contain, as CycloneDX");
  await copyFile(join(root, "THIRD-PARTY.md"), file("THIRD-PARTY.md"));
  yield await lineAbout(file("THIRD-PARTY.md"), "the licences of what the files contain");
  const changelog = await readFile(join(root, "CHANGELOG.md"), "utf8");
  await writeFile(file("CHANGES.md"), `${changelogSection(changelog, version)}\n`);
  yield await lineAbout(file("CHANGES.md"), "what has changed");
}
