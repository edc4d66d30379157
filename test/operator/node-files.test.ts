/** O5: networks and libcni's cache, as other programs have written them. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCache } from "../../src/operator/cache.ts";
import { dataDirOf } from "../../src/operator/lease-folders.ts";
import { bridgeNameOf, readNetworks } from "../../src/operator/networks.ts";

const folder = mkdtempSync(join(tmpdir(), "bridgehead-operator-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function folderWith(files: Readonly<Record<string, string>>): string {
  const path = join(folder, String(++count));
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

describe("O5: the folder of networks", () => {
  test("has lists and single configurations, in the order of their names", () => {
    const path = folderWith({
      "20-b.conf": JSON.stringify({ cniVersion: "1.0.0", name: "b", type: "bridge" }),
      "10-a.conflist": JSON.stringify({ name: "a", plugins: [{ type: "bridge" }, { type: "portmap" }] }),
      "30-c.json": JSON.stringify({ Name: "c", type: "loopback" }),
      "notes.txt": "no configuration",
    });
    const { networks, broken } = readNetworks(path);
    expect(broken).toEqual([]);
    expect(networks.map(({ name, isList, plugins }) => [name, isList, plugins.length])).toEqual([
      ["a", true, 2],
      ["b", false, 1],
      ["c", false, 1],
    ]);
  });

  test("names broken files and goes on", () => {
    const path = folderWith({
      "1.conflist": '{"name": "a", "plugins": [}',
      "2.conflist": '{"plugins": [{"type": "bridge"}]}',
      "3.conflist": '{"name": "c", "plugins": []}',
      "4.conf": '{"name": "d"}',
      "5.json": "[]",
      "6.conf": '{"name": "good", "type": "bridge"}',
      "7.conflist": '{"name": "g", "plugins": {}}',
      "8.conflist": '{"name": "h", "plugins": [7]}',
    });
    const { networks, broken } = readNetworks(path);
    expect(networks.map(({ name }) => name)).toEqual(["good"]);
    expect(broken.map(({ file, problem }) => [file.slice(path.length + 1), problem])).toEqual([
      ["1.conflist", expect.stringContaining("line 1, column 27")],
      ["2.conflist", 'it has no "name"'],
      ["3.conflist", '"plugins" is empty'],
      ["4.conf", 'the configuration has no "type"'],
      ["5.json", "it is not a JSON object"],
      ["7.conflist", '"plugins" is not an array'],
      ["8.conflist", "plugins[0] is not a JSON object"],
    ]);
  });

  test("a configuration without a bridge, or with an empty one, means cni0", () => {
    const named = (bridge: unknown, type = "bridge") => bridgeNameOf({ type, bridge });
    expect([named("br7"), named(undefined), named(""), named("br7", "ptp")]).toEqual([
      "br7",
      "cni0",
      "cni0",
      undefined,
    ]);
  });

  test("says which file of a name the runtimes read", () => {
    const network = JSON.stringify({ name: "a", type: "bridge" });
    const path = folderWith({ "1.conf": network, "2.conf": network });
    expect(readNetworks(path).networks.map(({ shadowedBy }) => shadowedBy)).toEqual([
      undefined,
      join(path, "1.conf"),
    ]);
  });

  test("may be missing; a file in its place is an error", () => {
    expect(readNetworks(join(folder, "nowhere"))).toEqual({ networks: [], broken: [] });
    writeFileSync(join(folder, "file"), "");
    expect(() => readNetworks(join(folder, "file"))).toThrow("not a directory");
  });

  test("says where the leases of a network are", () => {
    const path = folderWith({
      "1.conf": JSON.stringify({ name: "a", type: "bridge", ipam: { type: "host-local", dataDir: "/x/y/" } }),
      "2.conf": JSON.stringify({ name: "b", type: "bridge", ipam: { type: "static" } }),
    });
    expect(readNetworks(path).networks.map(dataDirOf)).toEqual(["/x/y", "/var/lib/cni/networks"]);
  });
});

describe("O5: libcni's cache", () => {
  const config = { cniVersion: "1.0.0", name: "net1", type: "bridge" };
  const cached = {
    kind: "cniCacheV1",
    containerId: "c-1",
    config: Buffer.from(JSON.stringify(config)).toString("base64"),
    ifName: "eth0",
    networkName: "net1",
    netns: "/run/netns/c-1",
    cniArgs: [["K8S_POD_NAME", "p"]],
    capabilityArgs: { portMappings: [{ hostPort: 80, containerPort: 80, protocol: "tcp" }] },
    result: { cniVersion: "1.0.0", ips: [] },
  };

  test("names the attachment, its configuration and its result", () => {
    const path = folderWith({});
    mkdirSync(join(path, "results"));
    writeFileSync(join(path, "results/net1-c-1-eth0"), JSON.stringify(cached));
    expect(readCache(path)).toEqual({
      broken: [],
      attachments: [
        {
          file: join(path, "results/net1-c-1-eth0"),
          network: "net1",
          containerId: "c-1",
          ifname: "eth0",
          netns: "/run/netns/c-1",
          config,
          cniArgs: [["K8S_POD_NAME", "p"]],
          capabilityArgs: cached.capabilityArgs,
          result: cached.result,
        },
      ],
    });
  });

  test("may hold files of others, which are named", () => {
    const path = folderWith({});
    mkdirSync(join(path, "results"));
    writeFileSync(join(path, "results/a"), "{");
    writeFileSync(join(path, "results/b"), JSON.stringify({ ...cached, kind: "cniCacheV9" }));
    writeFileSync(join(path, "results/c"), JSON.stringify({ ...cached, config: "?" }));
    writeFileSync(join(path, "results/d"), JSON.stringify({ kind: "cniCacheV1" }));
    const { attachments, broken } = readCache(path);
    expect(attachments.map(({ config }) => config)).toEqual([undefined]);
    expect(broken.map(({ problem }) => problem)).toEqual([
      expect.stringMatching(/^line 1, column 2: /),
      'its kind is "cniCacheV9", not "cniCacheV1"',
      "it does not name an attachment",
    ]);
  });

  test("may be missing", () => {
    expect(readCache(join(folder, "nowhere"))).toEqual({ attachments: [], broken: [] });
  });
});
