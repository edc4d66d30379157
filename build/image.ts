/**
 * `npm run build -- --image`: container images of the compact file, made without a daemon. An image holds the file, which
 * installs the plugins on the node that it runs on (deploy/README.md), the licences, and nothing else.
 *
 * There are two forms: an OCI layout with the images of all processors
 * (https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md), and for each processor an archive as
 * `docker load` reads it. Equal files give equal images.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { version } from "../package.json";
import { FIXED_TIME, sha256, writeTar } from "./archive.ts";
import { compileCompact } from "./compact.ts";
import { PROGRAM, root, shown } from "./compile.ts";
import { compactTargets, missingFor, processorIn } from "./toolchain.ts";

/**
 * The image's name. Nothing can be fetched from a registry on "localhost", so a node that lacks the image says so, and never
 * takes one of this name that a stranger has published.
 */
export const IMAGE = `localhost/bridgehead:${version}`;

/** Where a pod mounts the node's folder of plugins. */
export const MOUNTED_FOLDER = "/host/opt/cni/bin";

/** The files in an image, and what they are here. */
const LICENCES = { "licenses/LICENSE": "LICENSE", "licenses/THIRD-PARTY.md": "THIRD-PARTY.md" } as const;

/** The compact file of a target. */
export interface CompactFile {
  /** As in the names of the release's files: "linux-x64". */
  readonly target: string;
  readonly file: string;
}

/** The name of a target's archive for `docker load`. */
export const dockerArchive = (target: string): string => `bridgehead-${version}-${target}-docker.tar`;

/** Builds the compact file of each processor that this machine has the tools for, and its image. Yields lines about them. */
export async function* buildImages(folder: string): AsyncGenerator<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const stage = await mkdtemp(join(folder, ".stage-"));
  try {
    const files: CompactFile[] = [];
    for (const target of compactTargets(true)) {
      const missing = missingFor(target);
      if (missing !== undefined) {
        yield `left out: ${missing}`;
        continue;
      }
      await compileCompact(join(stage, target.name), target);
      files.push({ target: target.name, file: join(stage, target.name, PROGRAM) });
    }
    yield* writeImages(folder, files);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/** Writes the layout `oci` and the archives into a folder. Yields a line about each. @throws Error without any file */
export async function* writeImages(folder: string, files: readonly CompactFile[]): AsyncGenerator<string> {
  if (files.length === 0) throw new Error("no compact file could be built, so there is nothing for an image");
  await mkdir(folder, { recursive: true });
  const stage = await mkdtemp(join(folder, ".image-"));
  try {
    const layout = new Layout(join(folder, "oci"));
    const manifests: Descriptor[] = [];
    for (const { target, file } of files) {
      const architecture = processorIn("OCI", target);
      const layer = await layerOf(join(stage, target), file);
      const config = json(configOf(layer, architecture));
      manifests.push(await layout.addImage(layer, config, architecture));
      await writeDockerArchive(
        join(folder, dockerArchive(target)),
        join(stage, "docker", target),
        layer,
        config,
      );
      yield `${shown(folder)}/${dockerArchive(target)}  ${IMAGE} for ${target}`;
    }
    await layout.close(manifests);
    yield `${shown(folder)}/oci  ${IMAGE} for ${files.map(({ target }) => target).join(", ")}`;
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/** The files of an image as a tar file. */
async function layerOf(stage: string, program: string): Promise<Buffer> {
  await mkdir(join(stage, "licenses"), { recursive: true });
  await copyFile(program, join(stage, PROGRAM));
  for (const [name, source] of Object.entries(LICENCES))
    await copyFile(join(root, source), join(stage, name));
  const file = `${stage}.tar`;
  writeTar(stage, [PROGRAM, "licenses"], file);
  return readFile(file);
}

/** A reference to a blob (descriptor.md of the specification). */
interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string; readonly os: "linux" };
}

/** The configuration of an image (config.md). Docker reads the same document. */
const configOf = (layer: Buffer, architecture: string): object => ({
  created: FIXED_TIME,
  architecture,
  os: "linux",
  config: {
    Entrypoint: [`/${PROGRAM}`, "install", "--from-image", "--yes"],
    Cmd: [MOUNTED_FOLDER],
    Labels: ANNOTATIONS,
  },
  rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
  history: [{ created: FIXED_TIME, created_by: "npm run build -- --image" }],
});

const ANNOTATIONS = {
  "org.opencontainers.image.title": "bridgehead",
  "org.opencontainers.image.description": "Installs the CNI plugins of Bridgehead on a node",
  "org.opencontainers.image.version": version,
  "org.opencontainers.image.licenses": "Apache-2.0",
} as const;

const OCI = "application/vnd.oci.image";

const encoder = new TextEncoder();

/** An OCI layout while it is written. */
class Layout {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Adds an image of one layer. Returns what an index says of it. */
  async addImage(layer: Buffer, config: string, architecture: string): Promise<Descriptor> {
    // Bun's own, whose version is pinned, so that the bytes do not depend on the machine. It writes neither name nor time.
    const compressed = Bun.gzipSync(new Uint8Array(layer), { level: 9 });
    const manifest = {
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: await this.add(`${OCI}.config.v1+json`, encoder.encode(config)),
      layers: [await this.add(`${OCI}.layer.v1.tar+gzip`, compressed)],
      annotations: ANNOTATIONS,
    };
    return {
      ...(await this.addJson(manifest.mediaType, manifest)),
      platform: { architecture, os: "linux" },
    };
  }

  /** Writes the index of the images, by which tools find them under their name. */
  async close(manifests: readonly Descriptor[]): Promise<void> {
    const index = { schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests };
    const named = {
      ...(await this.addJson(index.mediaType, index)),
      annotations: { "org.opencontainers.image.ref.name": version, "io.containerd.image.name": IMAGE },
    };
    await writeFile(
      join(this.folder, "index.json"),
      json({ schemaVersion: 2, mediaType: index.mediaType, manifests: [named] }),
    );
    await writeFile(join(this.folder, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  }

  private addJson(mediaType: string, value: object): Promise<Descriptor> {
    return this.add(mediaType, encoder.encode(json(value)));
  }

  private async add(mediaType: string, content: Uint8Array): Promise<Descriptor> {
    const sum = sha256(content);
    await mkdir(join(this.folder, "blobs/sha256"), { recursive: true });
    await writeFile(join(this.folder, "blobs/sha256", sum), content);
    return { mediaType, digest: `sha256:${sum}`, size: content.length };
  }
}

const json = (value: object): string => JSON.stringify(value);

/** An archive of one image as `docker save` writes it, and `docker load` and `podman load` read it. */
async function writeDockerArchive(file: string, stage: string, layer: Buffer, config: string): Promise<void> {
  await mkdir(stage, { recursive: true });
  const [configFile, layerFile] = [`${sha256(config)}.json`, `${sha256(layer)}.tar`];
  const manifest = [{ Config: configFile, RepoTags: [IMAGE], Layers: [layerFile] }];
  await writeFile(join(stage, configFile), config);
  await writeFile(join(stage, layerFile), layer);
  await writeFile(join(stage, "manifest.json"), json(manifest));
  writeTar(stage, ["manifest.json", configFile, layerFile], file);
}
