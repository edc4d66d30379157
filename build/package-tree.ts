/**
 * What the packages for Debian and for systems with RPM hold. `bridgehead` has the plugins (the compact file), `bridgehead-operator`
 * all other commands (the Bun file).
 *
 * The plugins go to /opt/cni/bin, where containerd, CRI-O, kubeadm, nerdctl and Nomad look unless they are told otherwise.
 * The folder /usr/lib/cni belongs to Debian's own plugins. Packages of Kubernetes have files of the same names in /opt/cni/bin,
 * and a file can belong to one package only. So our package holds one file below /usr/lib, which installs itself: what was in
 * /opt/cni/bin is kept, and comes back when the package is removed.
 */
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "../src/operator/all-commands.ts";
import { PLUGINS } from "../src/plugins/registry.ts";
import { root } from "./compile.ts";
import { copyDocuments } from "./documents.ts";

/** The kinds of packages. They differ in the folder of zsh's completions, and in the names of what they need. */
export type Kind = "deb" | "rpm";

/** A package, in the words of both kinds. */
export interface Package {
  readonly name: "bridgehead" | "bridgehead-operator";
  readonly version: string;
  /** The program of the package. */
  readonly program: string;
  readonly summary: string;
  readonly description: string;
  /** By kind, each as the kind writes it. */
  readonly needs: Readonly<Record<Kind, string>>;
}

/** The package of the plugins. @param program the compact file */
export const pluginsPackage = (program: string, version: string): Package => ({
  name: "bridgehead",
  version,
  program,
  summary: "CNI plugins that configure the kernel through netlink",
  description: `The plugins ${PLUGINS.map(({ name }) => name).join(", ")} in one file, which is installed into /opt/cni/bin.`,
  needs: { deb: "", rpm: "" },
});

/** The package of the operator's command. @param program the Bun file for glibc */
export const operatorPackage = (program: string, version: string): Package => ({
  name: "bridgehead-operator",
  version,
  program,
  summary: "looks after the networks of containers",
  description: "The operator's command of Bridgehead: leases, gc, doctor, validate, explain and others.",
  // What the Bun file needs of the C library (build/needs.ts).
  needs: { deb: `bridgehead (= ${version}), libc6 (>= 2.17)`, rpm: `bridgehead = ${version}, glibc >= 2.17` },
});

/** Units that repair what a firewall has removed. They are there for whoever enables them. */
const UNITS = ["bridgehead-repair.service", "bridgehead-repair-reloads.service"] as const;

const ZSH: Readonly<Record<Kind, string>> = {
  deb: "/usr/share/zsh/vendor-completions/_bridgehead",
  rpm: "/usr/share/zsh/site-functions/_bridgehead",
};

/** Writes the files of a package into a folder that stands for the root. */
export async function writeTree(
  folder: string,
  { name, version, program }: Package,
  kind: Kind,
): Promise<void> {
  const write = async (path: string, content: string | Uint8Array): Promise<void> => {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, path), content);
  };
  const addProgram = async (path: string, source: string): Promise<void> => {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await copyFile(source, join(folder, path));
    await chmod(join(folder, path), 0o755);
  };
  const documents = join(folder, "usr/share/doc", name);
  await mkdir(documents, { recursive: true });
  await writeFile(join(documents, "copyright"), await copyright());
  if (name === "bridgehead-operator") {
    await addProgram("/usr/lib/bridgehead/operator/bridgehead", program);
    for (const unit of UNITS) {
      const text = await readFile(join(root, "deploy/systemd", unit), "utf8");
      await write(`/usr/lib/systemd/system/${unit}`, text.replaceAll("/usr/local/bin/", "/usr/sbin/"));
    }
    return;
  }
  await addProgram("/usr/lib/bridgehead/bridgehead", program);
  await addProgram("/usr/sbin/bridgehead", join(root, "packaging/bridgehead"));
  const page = new TextEncoder().encode(await textOf(version, "manual"));
  await write("/usr/share/man/man8/bridgehead.8.gz", Bun.gzipSync(page, { level: 9 }));
  await write(
    "/usr/share/bash-completion/completions/bridgehead",
    await textOf(version, "completion", "bash"),
  );
  await write(
    "/usr/share/fish/vendor_completions.d/bridgehead.fish",
    await textOf(version, "completion", "fish"),
  );
  await write(ZSH[kind], await textOf(version, "completion", "zsh"));
  await copyDocuments(documents);
}

/** What a command of the operator prints. */
async function textOf(version: string, ...words: readonly string[]): Promise<string> {
  let text = "";
  const exitCode = await runCommand(words, {
    version,
    plugins: PLUGINS.map(({ name }) => name),
    environment: {},
    stdout: (more) => {
      text += more;
    },
    stderr: (more) => {
      throw new Error(`bridgehead ${words.join(" ")}: ${more}`);
    },
  });
  if (exitCode !== 0) throw new Error(`bridgehead ${words.join(" ")} ended with exit code ${exitCode}`);
  return text;
}

/** Our licence, and those of what the files contain. */
const copyright = async (): Promise<string> =>
  (await Promise.all(["THIRD-PARTY.md", "LICENSE"].map((name) => readFile(join(root, name), "utf8")))).join(
    "\n",
  );
