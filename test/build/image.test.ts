/** R1: the container image is made without a daemon, holds only our file and the licences, and is the same each time. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../../build/archive.ts";
import { dockerArchive, IMAGE, writeImages } from "../../build/image.ts";
import { outcomeOf, outputOf } from "../support/command.ts";
import { testUnless, whyNoProgram } from "../support/skip.ts";

const folder = mkdtempSync(join(tmpdir(), "bridgehead-image-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Small files in place of the programs: an image does not look into them. */
const FILES = ["linux-x64", "linux-arm64"].map((target) => ({ target, file: join(folder, target) }));

const first = join(folder, "first");
beforeAll(async () => {
  for (const { target, file } of FILES) writeFileSync(file, `program of ${target}`, { mode: 0o755 });
  await Array.fromAsync(writeImages(first, FILES));
});

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string; readonly os: string };
  readonly annotations?: Readonly<Record<string, string>>;
}
interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}
interface Index {
  readonly manifests: readonly Descriptor[];
}
interface Config {
  readonly architecture: string;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly config: { readonly Entrypoint: readonly string[]; readonly Cmd: readonly string[] };
}

const blob = ({ digest, size }: Descriptor): Buffer => {
  const content = readFileSync(join(first, "oci/blobs", digest.replace(":", "/")));
  expect([`sha256:${sha256(content)}`, content.length]).toEqual([digest, size]);
  return content;
};
const json = <T>(content: Buffer): T => JSON.parse(content.toString()) as T;

describe("R1: the OCI layout", () => {
  const index = () => json<Index>(readFileSync(join(first, "oci/index.json")));
  const images = () => index().manifests.flatMap((named) => json<Index>(blob(named)).manifests);

  test("has the images of all processors under one name, each blob with its digest and nothing else", () => {
    expect(json<object>(readFileSync(join(first, "oci/oci-layout")))).toEqual({
      imageLayoutVersion: "1.0.0",
    });
    expect(index().manifests.map(({ annotations }) => annotations?.["io.containerd.image.name"])).toEqual([
      IMAGE,
    ]);
    expect(images().map(({ platform }) => platform)).toEqual([
      { architecture: "amd64", os: "linux" },
      { architecture: "arm64", os: "linux" },
    ]);
    const known = new Set(index().manifests.map(({ digest }) => digest));
    for (const image of images()) {
      const { config, layers } = json<Manifest>(blob(image));
      expect([image.mediaType, config.mediaType, ...layers.map(({ mediaType }) => mediaType)]).toEqual(
        ["manifest.v1+json", "config.v1+json", "layer.v1.tar+gzip"].map(
          (kind) => `application/vnd.oci.image.${kind}`,
        ),
      );
      const { architecture, rootfs, config: run } = json<Config>(blob(config));
      expect(architecture).toBe(image.platform?.architecture ?? "");
      expect(rootfs.diff_ids).toEqual(
        layers.map((layer) => `sha256:${sha256(Bun.gunzipSync(new Uint8Array(blob(layer))))}`),
      );
      expect([...run.Entrypoint, ...run.Cmd]).toEqual([
        ...["/bridgehead", "install", "--from-image", "--yes", "/host/opt/cni/bin"],
      ]);
      for (const { digest } of [image, config, ...layers]) known.add(digest);
    }
    expect(
      readdirSync(join(first, "oci/blobs/sha256"))
        .map((name) => `sha256:${name}`)
        .sort(),
    ).toEqual([...known].sort());
  });

  test("unpacks to our file and the licences, which are root's", async () => {
    const [image] = images();
    if (image === undefined) throw new Error("there is no image");
    const [layer] = json<Manifest>(blob(image)).layers;
    if (layer === undefined) throw new Error("there is no layer");
    const listing = await outputOf(["tar", "--numeric-owner", "-tvzf", "-"], { stdin: blob(layer) });
    expect(
      listing
        .trim()
        .split("\n")
        .map((line) => line.replace(/ +\d+ /, " ")),
    ).toEqual([
      "-rwxr-xr-x 0/0 2000-01-01 00:00 bridgehead",
      "drwxr-xr-x 0/0 2000-01-01 00:00 licenses/",
      "-rw-r--r-- 0/0 2000-01-01 00:00 licenses/LICENSE",
      "-rw-r--r-- 0/0 2000-01-01 00:00 licenses/THIRD-PARTY.md",
    ]);
  });
});

test("R1: an archive for docker load has the same configuration and layer", async () => {
  for (const { target } of FILES) {
    const unpacked = join(folder, `docker-${target}`);
    mkdirSync(unpacked);
    await outputOf(["tar", "-C", unpacked, "-xf", join(first, dockerArchive(target))]);
    const [image] = json<readonly { Config: string; RepoTags: string[]; Layers: string[] }[]>(
      readFileSync(join(unpacked, "manifest.json")),
    );
    if (image === undefined) throw new Error("the archive has no image");
    expect(image.RepoTags).toEqual([IMAGE]);
    const config = readFileSync(join(unpacked, image.Config));
    expect(`${sha256(config)}.json`).toBe(image.Config);
    expect(readdirSync(join(first, "oci/blobs/sha256"))).toContain(sha256(config));
    expect(json<Config>(config).rootfs.diff_ids).toEqual(
      image.Layers.map((layer) => `sha256:${sha256(readFileSync(join(unpacked, layer)))}`),
    );
  }
});

test("R1: equal files give equal images", async () => {
  const second = join(folder, "second");
  await Array.fromAsync(writeImages(second, FILES));
  const { exitCode, stdout } = await outcomeOf(["diff", "-r", first, second]);
  expect([exitCode, stdout]).toEqual([0, ""]);
});

testUnless(whyNoProgram("skopeo"))("R1: skopeo reads the layout and the archives", async () => {
  for (const source of [
    `oci:${first}/oci`,
    ...FILES.map(({ target }) => `docker-archive:${first}/${dockerArchive(target)}`),
  ])
    expect(json<object>(Buffer.from(await outputOf(["skopeo", "inspect", source])))).toMatchObject({
      Os: "linux",
    });
});
