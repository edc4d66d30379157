/** Packages for systems with RPM, made with rpmbuild(1), which Debian has as well. */
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FIXED_SECONDS } from "./archive.ts";
import { root, run } from "./compile.ts";
import { type Package, writeTree } from "./package-tree.ts";
import { processorIn } from "./toolchain.ts";

/**
 * Writes the package for a target into a folder. Equal files give equal packages. Returns its path.
 * @throws Error when rpmbuild fails
 */
export async function writeRpm(folder: string, content: Package, target: string): Promise<string> {
  const architecture = processorIn("RPM", target);
  const { name, version, needs, summary, description } = content;
  const stage = await mkdtemp(join(folder, ".rpm-"));
  try {
    const tree = join(stage, "tree");
    await writeTree(tree, content, "rpm");
    run(["chmod", "-R", "u=rwX,go=rX", tree]);
    const files = (await readdir(tree, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(tree.length));
    const own = [`%dir /usr/lib/bridgehead`, `%dir /usr/share/doc/${name}`];
    await writeFile(join(stage, "files"), `${[...own, ...files.sort()].join("\n")}\n`);
    const macros: Readonly<Record<string, string>> = {
      _topdir: stage,
      _dbpath: join(stage, "db"),
      _rpmdir: stage,
      _tmppath: stage,
      // No path, name or time of the machine that builds.
      _buildhost: "localhost",
      clamp_mtime_to_source_date_epoch: "1",
      use_source_date_epoch_as_buildtime: "1",
      _build_id_links: "none",
      __os_install_post: "%{nil}",
      debug_package: "%{nil}",
      _binary_payload: "w6.xzdio",
      bh_name: name,
      bh_version: version,
      bh_summary: summary,
      bh_description: description,
      bh_requires: needs.rpm === "" ? "%{nil}" : `Requires: ${needs.rpm}`,
      bh_files: join(stage, "files"),
    };
    const defined = Object.entries(macros).flatMap(([macro, value]) => ["--define", `${macro} ${value}`]);
    const command = ["rpmbuild", "-bb", "--quiet", `--target=${architecture}-linux`, `--buildroot=${tree}`];
    run([
      ...["env", `SOURCE_DATE_EPOCH=${FIXED_SECONDS}`, ...command, ...defined],
      join(root, "packaging/bridgehead.spec"),
    ]);
    const file = `${name}-${version}-1.${architecture}.rpm`;
    await rename(join(stage, architecture, file), join(folder, file));
    return join(folder, file);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}
