/**
 * R2: the manifests of deploy/ fit the image, and ask for no right that the installer does not need. Whether Kubernetes takes
 * them, only its API server knows: schemas of its types accept keys that do not exist.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { IMAGE, MOUNTED_FOLDER } from "../../build/image.ts";
import { PLUGIN_FOLDER } from "../../src/operator/plugin-folder.ts";
import { PROJECT } from "../support/test-files.ts";

const FOLDER = join(PROJECT, "deploy/install");

interface SecurityContext {
  readonly [right: string]: unknown;
  readonly capabilities: unknown;
}
interface Container {
  readonly image: string;
  readonly command?: unknown;
  readonly args?: unknown;
  readonly securityContext: SecurityContext;
  readonly volumeMounts?: unknown;
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}
interface DaemonSet extends Manifest {
  readonly spec: {
    readonly selector: { readonly matchLabels: object };
    readonly template: {
      readonly metadata: { readonly labels: object };
      readonly spec: {
        readonly [key: string]: unknown;
        readonly initContainers: readonly [Container];
        readonly containers: readonly Container[];
      };
    };
  };
}

const read = <T>(name: string): T => Bun.YAML.parse(readFileSync(join(FOLDER, name), "utf8")) as T;

describe("R2: deploy/install", () => {
  const { spec } = read<DaemonSet>("daemon-set.yaml");
  const pod = spec.template.spec;
  const [install] = pod.initContainers;

  test("the kustomization has all files of the folder, in one namespace", () => {
    const { resources, namespace } = read<{ resources: string[]; namespace: string }>("kustomization.yaml");
    expect([...resources, "kustomization.yaml"].sort()).toEqual(readdirSync(FOLDER).sort());
    const names = resources.map((name) => read<Manifest>(name)).map(({ kind, metadata }) => [kind, metadata]);
    expect(names).toEqual([
      ["Namespace", expect.objectContaining({ name: namespace })],
      ["ServiceAccount", expect.objectContaining({ namespace })],
      ["DaemonSet", expect.objectContaining({ namespace })],
    ]);
  });

  test("runs the image's own command, on the folder where runtimes look", () => {
    expect(install).toMatchObject({
      image: IMAGE,
      volumeMounts: [{ name: "plugins", mountPath: MOUNTED_FOLDER }],
    });
    expect([install.command, install.args]).toEqual([undefined, undefined]);
    expect(pod.volumes).toEqual([
      { name: "plugins", hostPath: { path: PLUGIN_FOLDER, type: "DirectoryOrCreate" } },
    ]);
  });

  test("reaches every Linux node, also one without a network", () => {
    expect(pod).toMatchObject({
      hostNetwork: true,
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ operator: "Exists" }],
    });
    expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels);
  });

  test("has no right that it does not need", () => {
    const account = read<{ automountServiceAccountToken: boolean }>("service-account.yaml");
    expect([account.automountServiceAccountToken, pod.automountServiceAccountToken]).toEqual([false, false]);
    for (const { securityContext } of [...pod.initContainers, ...pod.containers])
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
        seccompProfile: { type: "RuntimeDefault" },
      });
    for (const { securityContext } of pod.initContainers)
      expect(securityContext).toMatchObject({ privileged: false });
    for (const container of pod.containers)
      expect([container.securityContext, container.volumeMounts]).toMatchObject([
        { runAsNonRoot: true },
        undefined,
      ]);
    for (const { capabilities } of [...pod.initContainers, ...pod.containers].map(
      (each) => each.securityContext,
    ))
      expect(capabilities).not.toHaveProperty("add");
    expect([pod.hostPID, pod.hostIPC]).toEqual([undefined, undefined]);
  });
});

test("R2: deploy/uninstall is deploy/install with the other command, on the same folder", () => {
  const { resources, patches } = Bun.YAML.parse(
    readFileSync(join(FOLDER, "../uninstall/kustomization.yaml"), "utf8"),
  ) as { resources: string[]; patches: { target: object; patch: string }[] };
  expect([resources, patches.map(({ target }) => target)]).toEqual([
    ["../install"],
    [{ kind: "DaemonSet", name: "bridgehead" }],
  ]);
  expect(patches.flatMap(({ patch }) => Bun.YAML.parse(patch))).toEqual([
    {
      op: "add",
      path: "/spec/template/spec/initContainers/0/command",
      value: ["/bridgehead", "uninstall", "--yes"],
    },
    { op: "add", path: "/spec/template/spec/initContainers/0/args", value: [MOUNTED_FOLDER] },
  ]);
});
