/** Packages for Debian and its descendants, made with dpkg-deb(1). */
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FIXED_SECONDS, totalSize } from "./archive.ts";
import { root, run } from "./compile.ts";
import { type Package, writeTree } from "./package-tree.ts";
import { processorIn } from "./toolchain.ts";

/** Scripts of the package that installs itself (deb-postinst(5), deb-prerm(5), deb-triggers(5)). */
const SCRIPTS = { postinst: 0o755, prerm: 0o755, triggers: 0o644 } as const;

/**
 * Writes the package for a target into a folder. Equal files give equal packages. Returns its path.
 * @throws Error when dpkg-deb fails
 */
export async function writeDeb(folder: string, content: Package, target: string): Promise<string> {
  const architecture = processorIn("Debian", target);
  const { name, version, needs, summary, description } = content;
  const file = join(folder, `${name}_${version}_${architecture}.deb`);
  const tree = await mkdtemp(join(folder, ".deb-"));
  try {
    await chmod(tree, 0o755);
    await writeTree(tree, content, "deb");
    const size = Math.ceil((await totalSize(tree)) / 1024);
    await mkdir(join(tree, "DEBIAN"));
    const fields = {
      Package: name,
      Version: version,
      Architecture: architecture,
      Maintainer: "The maintainers of Bridgehead",
      "Installed-Size": String(size),
      Depends: needs.deb,
      Suggests: name === "bridgehead" ? "bridgehead-operator" : "",
      Section: "net",
      Priority: "optional",
      Description: `${summary}\n ${description}`,
    };
    const lines = Object.entries(fields).flatMap(([field, value]) =>
      value === "" ? [] : `${field}: ${value}\n`,
    );
    await writeFile(join(tree, "DEBIAN/control"), lines.join(""));
    if (name === "bridgehead")
      for (const [script, mode] of Object.entries(SCRIPTS)) {
        await copyFile(join(root, "packaging", script), join(tree, "DEBIAN", script));
        await chmod(join(tree, "DEBIAN", script), mode);
      }
    // The mode of what is copied depends on the umask of the machine that builds.
    run(["chmod", "-R", "u=rwX,go=rX", tree]);
    // One thread: the bytes depend on their number.
    const command = ["dpkg-deb", "--root-owner-group", "--threads-max=1", "-Zxz", "--build", tree, file];
    run(["env", `SOURCE_DATE_EPOCH=${FIXED_SECONDS}`, ...command]);
    return file;
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}
