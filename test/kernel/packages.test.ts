/** R3: the packages install the plugins, give the folder back when they go, and live beside packages with the same plugins. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../../build/archive.ts";
import { writeDeb } from "../../build/deb.ts";
import { operatorPackage, type Package, pluginsPackage } from "../../build/package-tree.ts";
import { writeRpm } from "../../build/rpm.ts";
import { PLUGINS } from "../../src/plugins/registry.ts";
import { outcomeOf, outputOf } from "../support/command.ts";
import { isCompact } from "../support/engine.ts";
import { complaintsIn, documentsIn } from "../support/links.ts";
import { builtBinaries } from "../support/plugin-call.ts";
import { testUnless, whyNoProgram } from "../support/skip.ts";

const PROGRAM = join(builtBinaries(), "bridgehead");
const TARGET = process.arch === "arm64" ? "linux-arm64" : "linux-x64";
const ofCompact = isCompact() ? undefined : "the packages have the compact file";

let folder = "";
let deb = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bridgehead-packages-"));
  if (ofCompact === undefined) deb = await writeDeb(folder, pluginsPackage(PROGRAM, "1.0.0"), TARGET);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A plugin of another project in the package's place. */
const OTHER = "#!/bin/sh\necho other\n";

/** What is in a folder of plugins: "ours" if it answers as our file does, else its text. */
async function plugins(bin: string): Promise<Record<string, string>> {
  const names = readdirSync(bin).filter((name) => !name.startsWith("."));
  const contents = names.map(async (name) => {
    const { stdout } = await outcomeOf([join(bin, name)], { env: { CNI_COMMAND: "VERSION" }, stdin: "{}" });
    return [name, stdout.includes('"supportedVersions"') ? "ours" : readFileSync(join(bin, name), "utf8")];
  });
  return Object.fromEntries(await Promise.all(contents));
}

const OURS = Object.fromEntries(PLUGINS.map(({ name }) => [name, "ours"]));

/** An empty system for dpkg. Scripts of packages get its path in DPKG_ROOT, so it needs no shell of its own. */
function debianRoot(): { root: string; dpkg: (...words: string[]) => Promise<string> } {
  const root = mkdtempSync(join(folder, "debian-"));
  for (const name of ["updates", "info", "triggers"])
    mkdirSync(join(root, "var/lib/dpkg", name), { recursive: true });
  for (const name of ["status", "available"]) writeFileSync(join(root, "var/lib/dpkg", name), "");
  const options = [`--root=${root}`, "--force-script-chrootless", "--force-not-root"];
  return { root, dpkg: (...words) => outputOf(["dpkg", ...options, ...words]) };
}

/** A package of another project with a plugin in the same folder, as those of Kubernetes are. */
async function otherPackage(version: string): Promise<string> {
  const tree = mkdtempSync(join(folder, "other-"));
  for (const path of ["DEBIAN", "opt/cni/bin"]) mkdirSync(join(tree, path), { recursive: true });
  const fields = [
    "Package: other-cni",
    `Version: ${version}`,
    "Architecture: all",
    "Maintainer: x",
    "Description: x",
  ];
  writeFileSync(join(tree, "DEBIAN/control"), `${fields.join("\n")}\n`);
  writeFileSync(join(tree, "opt/cni/bin/bridge"), `${OTHER}# ${version}\n`, { mode: 0o755 });
  const file = join(folder, `other_${version}.deb`);
  await outputOf(["chmod", "755", tree, join(tree, "DEBIAN")]);
  await outputOf(["dpkg-deb", "--build", "-Znone", tree, file]);
  return file;
}

describe("R3: the package for Debian", () => {
  testUnless(ofCompact)("is installed, upgraded and removed beside another one's plugins", async () => {
    const { root, dpkg } = debianRoot();
    const bin = join(root, "opt/cni/bin");
    await dpkg("--install", await otherPackage("1"));
    writeFileSync(join(bin, "macvlan"), OTHER, { mode: 0o755 });
    const sum = sha256(readFileSync(deb));
    await dpkg("--install", deb);
    expect(await plugins(bin)).toMatchObject({ ...OURS, macvlan: OTHER });
    expect(await dpkg("--status", "bridgehead")).toContain("Status: install ok installed");

    // The other package comes again, and puts its plugin over ours: the trigger puts ours back.
    await dpkg("--install", await otherPackage("2"));
    expect(await plugins(bin)).toMatchObject({ ...OURS, macvlan: OTHER });

    await dpkg("--install", await writeDeb(folder, pluginsPackage(PROGRAM, "1.0.1"), TARGET));
    expect(await dpkg("--status", "bridgehead")).toContain("Version: 1.0.1");
    expect(await plugins(bin)).toMatchObject({ ...OURS, macvlan: OTHER });

    await dpkg("--remove", "bridgehead");
    expect(await plugins(bin)).toEqual({ bridge: `${OTHER}# 2\n`, macvlan: OTHER });
    expect(readdirSync(bin).sort()).toEqual(["bridge", "macvlan"]);
    expect(existsSync(join(root, "usr"))).toBe(false);

    // Built again from the same files, which are newer now.
    expect(sha256(readFileSync(await writeDeb(folder, pluginsPackage(PROGRAM, "1.0.0"), TARGET)))).toBe(sum);
  });

  testUnless(ofCompact)(
    "has the command, the manual page, completions and documents without a broken link",
    async () => {
      const listing = await outputOf(["dpkg-deb", "--contents", deb]);
      for (const line of listing.trim().split("\n"))
        expect(line).toMatch(/^[-d]rw[-x]r-[-x]r-[-x] root\/root .* 2000-01-01 00:00 /);
      const tree = join(folder, "unpacked");
      await outputOf(["dpkg-deb", "--extract", deb, tree]);
      const read = (path: string): string => readFileSync(join(tree, path), "utf8");
      const page = Bun.gunzipSync(readFileSync(join(tree, "usr/share/man/man8/bridgehead.8.gz")));
      expect(new TextDecoder().decode(page)).toStartWith('.TH BRIDGEHEAD 8 "" "bridgehead 1.0.0"');
      expect(read("usr/share/bash-completion/completions/bridgehead")).toContain(
        "complete -o default -F _bridgehead",
      );
      expect(read("usr/share/zsh/vendor-completions/_bridgehead")).toStartWith("#compdef bridgehead");
      expect(read("usr/share/fish/vendor_completions.d/bridgehead.fish")).toContain("complete -c bridgehead");
      const documents = "usr/share/doc/bridgehead";
      expect(read(`${documents}/copyright`)).toMatch(/quickjs-ng[\s\S]*Apache License/);
      expect(complaintsIn(join(tree, documents), documentsIn(join(tree, documents)))).toEqual([]);
    },
  );
});

test("R3: the operator's package has the units, and then the command is the Bun file but for what installs", async () => {
  const [plugins, operator] = ["plugins", "operator"].map((name) => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\necho ${name} "$@"\n`, { mode: 0o755 });
    return path;
  });
  const tree = join(folder, "both");
  const extract = async (content: Package) =>
    outputOf(["dpkg-deb", "--extract", await writeDeb(folder, content, TARGET), tree]);
  await extract(pluginsPackage(plugins ?? "", "1.0.3"));
  // The command as it is, but in this tree instead of the root.
  const text = readFileSync(join(tree, "usr/sbin/bridgehead"), "utf8").replaceAll(
    "/usr/lib",
    join(tree, "usr/lib"),
  );
  const command = (...words: string[]) => outputOf(["sh", "-c", text, "bridgehead", ...words]);
  expect(await command("leases", "a b")).toBe("plugins leases a b\n");
  await extract(operatorPackage(operator ?? "", "1.0.3"));
  expect(await command("leases", "a b")).toBe("operator leases a b\n");
  expect(await command("install", "--yes")).toBe("plugins install --yes\n");
  expect(await command("uninstall")).toBe("plugins uninstall\n");
  const units = join(tree, "usr/lib/systemd/system");
  for (const unit of readdirSync(units)) {
    const content = readFileSync(join(units, unit), "utf8");
    expect(content).toMatch(/\/usr\/sbin\/bridgehead repair --yes/);
    expect(content).not.toContain("/usr/local");
  }
  expect(readdirSync(units).length).toBe(2);
});

testUnless(ofCompact ?? whyNoProgram("rpmbuild"))(
  "R3: the package for RPM is installed, upgraded and removed",
  async () => {
    const rpm = await writeRpm(folder, pluginsPackage(PROGRAM, "1.0.0"), TARGET);
    const sum = sha256(readFileSync(rpm));
    // RPM changes its root, so its scripts need a whole system: this one's, on which all changes are thrown away.
    const [upper, root] = [join(folder, "upper"), join(folder, "root")];
    for (const path of [upper, root]) mkdirSync(path);
    await outputOf(["mount", "-t", "tmpfs", "tmpfs", upper]);
    for (const name of ["changes", "work"]) mkdirSync(join(upper, name));
    const layers = `lowerdir=/,upperdir=${upper}/changes,workdir=${upper}/work`;
    await outputOf(["mount", "-t", "overlay", "-o", layers, "overlay", root]);
    try {
      await outputOf(["mount", "-t", "proc", "proc", join(root, "proc")]);
      const bin = join(root, "opt/cni/bin");
      rmSync(bin, { recursive: true, force: true });
      mkdirSync(bin, { recursive: true });
      writeFileSync(join(bin, "bridge"), OTHER, { mode: 0o755 });
      const run = (...words: string[]) =>
        outputOf(["rpm", `--root=${root}`, "--dbpath=/var/lib/rpm-of-test", ...words]);
      // Its database knows none of the packages of this system, not even that of /bin/sh.
      await run("--install", "--nodeps", rpm);
      expect(await plugins(bin)).toMatchObject(OURS);
      await run("--upgrade", "--nodeps", await writeRpm(folder, pluginsPackage(PROGRAM, "1.0.1"), TARGET));
      expect(await run("--query", "bridgehead")).toContain("bridgehead-1.0.1-1");
      expect(await plugins(bin)).toMatchObject(OURS);
      await run("--erase", "bridgehead");
      expect(await plugins(bin)).toEqual({ bridge: OTHER });
      expect(existsSync(join(root, "usr/lib/bridgehead"))).toBe(false);
      expect(sha256(readFileSync(await writeRpm(folder, pluginsPackage(PROGRAM, "1.0.0"), TARGET)))).toBe(
        sum,
      );
    } finally {
      await outputOf(["umount", "--recursive", root]);
      await outputOf(["umount", upper]);
    }
  },
);

test("R3: there are no packages for a processor that has no name there", async () => {
  await expect(writeDeb(folder, pluginsPackage(PROGRAM, "1.0.0"), "linux-vax")).rejects.toThrow(
    "Debian has no name for",
  );
  await expect(writeRpm(folder, pluginsPackage(PROGRAM, "1.0.0"), "linux-vax")).rejects.toThrow(
    "RPM has no name for",
  );
});
